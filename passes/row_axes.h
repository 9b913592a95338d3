// Where the rows of a batch are: along which dim each value of a function has them.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "ir/op_def.h"

namespace rondo::passes {

/// The rows of values, as far as ops work on each row by itself.
struct RowAxes {
  static constexpr int64_t kNone = ir::ByRow::kNone;

  std::vector<int64_t> axis;               // per value of the function; kNone: it has no rows
  std::map<const ir::Op*, ir::ByRow> ops;  // how those that have rows work on them; of scans there are only
  std::map<const ir::Op*, RowAxes> scans;  // bodies, all of whose ops do

  int64_t operator[](ir::Value v) const { return axis[v.id]; }
};

/// Whether an op (null: none) makes a number, which has no rows of its own: it is made for rows where an
/// operand has to have them.
bool is_same_in_rows(const ir::Op*);

/// The rows that dim `axis` of v means, followed from op to op in both directions. Where an op mixes rows
/// they are not followed. None: a body mixes them, or one value would have two such dims.
std::optional<RowAxes> find_rows(const ir::Func& func, ir::Value v, int64_t axis);

/// Whether a carry of a scan with rows is a sum over rows and steps: all that is done with it is to add a
/// sum of rows, so that what one window of rows leaves is where the next one may start.
bool is_sum_of_rows(const ir::ScanView& scan, const RowAxes& body, uint32_t carry);

}  // namespace rondo::passes
