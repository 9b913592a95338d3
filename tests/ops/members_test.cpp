// What OpDefs say of their ops holds on each row of the table.
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/arrays.h"
#include "ir/builder.h"
#include "ir/evaluator.h"
#include "support/error.h"
#include "tests/ops/rows.h"

namespace rondo::test {
namespace {

using ir::Array;
using ir::Attrs;
using ir::Func;
using ir::Op;
using ir::OpDef;
using ir::OpKind;
using ir::Shape;
using ir::Type;
using ir::Value;

using Arrays = std::vector<Array>;

/// The op of a case over operands of its own each, which have the case's inputs.
struct Case {
  explicit Case(const OpCase& c) : func(c.func), op(c.func.ops[0]), def(ir::def_of(op.kind)) {
    const Arrays inputs = inputs_of(c);
    const auto& params = func.params;
    for (Value v : op.operands)
      in.push_back(inputs[static_cast<size_t>(std::find(params.begin(), params.end(), v) - params.begin())]);
  }

  std::vector<Type> operand_types() const {
    std::vector<Type> all;
    for (Value v : op.operands) all.push_back(func.type(v));
    return all;
  }

  /// The op with other attributes over operands of other types.
  Array evaluate(const std::vector<Type>& operands, const Attrs& attrs, const Arrays& inputs,
                 int64_t rows = 0) const {
    ir::Builder b("f");
    std::vector<Value> params;
    for (const Type& t : operands) params.push_back(b.param(t));
    const Value result = b.emit(op.kind, params, attrs);
    ir::DimValues dims = row_dims();
    dims["rows"] = rows;
    return ir::evaluate(std::move(b).finish({result}), inputs, dims).at(0);
  }
  Array evaluate(const Arrays& inputs) const { return evaluate(operand_types(), op.attrs, inputs); }

  const Func& func;
  const Op& op;
  const OpDef& def;
  Arrays in;  // of the operands
};

/// Rows [lo, hi) along an axis.
Array rows_of(const Array& a, int64_t axis, int64_t lo, int64_t hi) {
  Array part = a;
  part.shape[axis] = hi - lo;
  part.data.clear();
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < a.shape.size(); ++i) inner *= a.shape[i];
  for (int64_t at = 0; at < a.count(); ++at)
    if (const int64_t row = at / inner % a.shape[axis]; row >= lo && row < hi)
      part.data.push_back(a.data[static_cast<size_t>(at)]);
  return part;
}

Array sum(Array a, const Array& b) {
  for (size_t i = 0; i < a.data.size(); ++i) a.data[i] += b.data[i];
  return a;
}

double difference(const Array& a, const Array& b) {
  return ir::difference(std::span(&a, 1), std::span(&b, 1));
}

/// The op on rows [lo, hi).
Array on_rows(const Case& c, const ir::ByRow& by, int64_t lo, int64_t hi) {
  std::vector<Type> types = c.operand_types();
  Arrays in = c.in;
  for (size_t i = 0; i < in.size(); ++i) {
    if (by.axes[i] == ir::ByRow::kNone) continue;
    types[i].shape[by.axes[i]] = ir::Dim("rows");
    in[i] = rows_of(in[i], by.axes[i], lo, hi);
  }
  Attrs attrs = c.op.attrs;
  if (!by.sums() && !attrs.type.shape.empty()) attrs.type.shape[by.result] = ir::Dim("rows");
  return c.evaluate(types, attrs, in, hi - lo);
}

void check_rows(const Case& c, int64_t axis, const ir::Dim& rows) {
  const auto by = c.def.by_row(c.func, c.op, axis);
  if (!by) return;
  const Array whole = c.evaluate(c.in);
  const int64_t all = ir::bind(rows, row_dims()), split = all / 2;
  const Array head = on_rows(c, *by, 0, split), tail = on_rows(c, *by, split, all);
  if (by->sums()) {
    EXPECT_LT(difference(sum(head, tail), whole), 1e-12);
  } else {
    EXPECT_LT(difference(head, rows_of(whole, by->result, 0, split)), 1e-12);
    EXPECT_LT(difference(tail, rows_of(whole, by->result, split, all)), 1e-12);
  }
}

/// Along each dim.
void check_rows(const Case& c) {
  if (!c.def.by_row) return;
  const bool reduces = c.def.cls == ir::OpClass::reduction;
  const Shape& shape = c.func.type(reduces ? c.op.operands[0] : c.op.result()).shape;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    SCOPED_TRACE("rows along " + std::to_string(axis));
    check_rows(c, static_cast<int64_t>(axis), shape[axis]);
  }
}

void check_sum_over_steps(const Case& c) {
  Attrs attrs = c.op.attrs;
  if (!c.def.sum_steps || !c.def.sum_steps(attrs)) return;
  constexpr int64_t kSteps = 2;
  std::vector<Type> types = c.operand_types();
  Arrays last = c.in, all = c.in;
  for (size_t i = 0; i < all.size(); ++i) {
    types[i].shape.insert(types[i].shape.begin(), kSteps);
    std::reverse(last[i].data.begin(), last[i].data.end());
    all[i].shape.insert(all[i].shape.begin(), kSteps);
    all[i].data.insert(all[i].data.end(), last[i].data.begin(), last[i].data.end());
  }
  EXPECT_LT(difference(c.evaluate(types, attrs, all), sum(c.evaluate(c.in), c.evaluate(last))), 1e-12);
}

void check_elements(const Case& c) {
  if (c.def.elements_of < 0) return;
  const std::vector<double>& from = c.in[static_cast<size_t>(c.def.elements_of)].data;
  for (double x : c.evaluate(c.in).data)
    EXPECT_TRUE(x == 0 || std::find(from.begin(), from.end(), x) != from.end()) << x;
}

void check_ids(const Case& c) {
  if (!c.def.ids) return;
  const ir::IdRange range = c.def.ids(c.func, c.op);
  const double low = static_cast<double>(range.low);
  const double end = static_cast<double>(ir::bind(range.dim, row_dims()) + range.more);
  Arrays in = c.in;
  if (in[range.operand].data.empty()) return;
  for (double inside : {low, end - 1}) {
    in[range.operand].data[0] = inside;
    EXPECT_NO_THROW(c.evaluate(in)) << inside;
  }
  for (double outside : {low - 1, end}) {
    in[range.operand].data[0] = outside;
    EXPECT_THROW(c.evaluate(in), Error) << outside;
  }
}

void check_scalars(const Case& c) {
  for (size_t i = 0; i < c.def.at_zero.size(); ++i) {
    if (c.def.at_zero[i] == ir::AtZero::unknown) continue;
    Arrays in = c.in;
    std::fill(in[i].data.begin(), in[i].data.end(), 0.0);
    EXPECT_EQ(c.evaluate(in).data,
              in[c.def.at_zero[i] == ir::AtZero::zero ? i : ir::other_operand(c.op, i)].data);
  }
  if (!c.def.chooses) return;
  const Arrays& in = c.in;
  const Array &x = in[in.size() - 2], &y = in.back(), result = c.evaluate(in);
  for (size_t i = 0; i < result.data.size(); ++i)
    EXPECT_TRUE(result.data[i] == x.data[i] || result.data[i] == y.data[i]) << i;
}

void check_linear(const Case& c) {
  if (!c.def.linear || c.in[0].dtype == DType::pred) return;
  Arrays other = c.in, both;
  for (size_t i = 0; i < other.size(); ++i) {
    std::reverse(other[i].data.begin(), other[i].data.end());
    both.push_back(sum(c.in[i], other[i]));
  }
  EXPECT_LT(difference(c.evaluate(both), sum(c.evaluate(c.in), c.evaluate(other))), 1e-12);
}

/// The same of some operands, while the rest stay.
void check_linear_in(const Case& c) {
  if (c.evaluate(c.in).dtype == DType::pred) return;
  for (const uint32_t set : c.def.linear_in) {
    if (set == 0) continue;
    Arrays other = c.in, both = c.in;
    for (size_t i = 0; i < other.size(); ++i) {
      if ((set >> i & 1) == 0) continue;
      ASSERT_NE(other[i].dtype, DType::pred) << set;
      std::reverse(other[i].data.begin(), other[i].data.end());
      both[i] = sum(c.in[i], other[i]);
    }
    EXPECT_LT(difference(c.evaluate(both), sum(c.evaluate(c.in), c.evaluate(other))), 1e-12) << set;
  }
}

class OpMembers : public testing::TestWithParam<size_t> {};

TEST_P(OpMembers, AreTrueOfEachRow) {
  for (const OpCase& row : cases_of(static_cast<OpKind>(GetParam()))) {
    SCOPED_TRACE(row.text);
    if (row.func.ops[0].body) continue;
    const Case c(row);
    check_rows(c);
    check_sum_over_steps(c);
    check_elements(c);
    check_ids(c);
    check_scalars(c);
    check_linear(c);
    check_linear_in(c);
  }
}

INSTANTIATE_TEST_SUITE_P(All, OpMembers, testing::Range<size_t>(0, ir::kOpCount), [](const auto& info) {
  return std::string(ir::def_of(static_cast<OpKind>(info.param)).name);
});

}  // namespace
}  // namespace rondo::test
