// The table of ops, of which each row is tested in every way: to test an op, add a row.
#pragma once

#include <string>
#include <vector>

#include "ir/evaluator.h"
#include "ir/func.h"

namespace rondo::test {

/// One op over params. `F[` stands for f32 and for f64: such a row is two.
struct OpRow {
  std::string params;           // "%x: F[T,3]"
  std::string op;               // "neg %x : F[T,3]"
  double lo = -1, hi = 1;       // the range of the inputs, ends included; ids and preds have their own
  bool stops_gradient = false;  // no gradient flows on purpose, though the result depends on the operands
};

const std::vector<OpRow>& op_rows();

/// A row with its floats chosen: a function of one op.
struct OpCase {
  const OpRow* row;
  std::string text;
  ir::Func func;
};

/// All cases of the rows whose op is of that kind; there is at least one for every kind.
std::vector<OpCase> cases_of(ir::OpKind kind);

/// What the names in rows stand for.
const ir::DimValues& row_dims();

/// Inputs in the row's range, the same every time.
std::vector<ir::Array> inputs_of(const OpCase&);

}  // namespace rondo::test
