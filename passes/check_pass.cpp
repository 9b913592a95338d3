#include "passes/check_pass.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/arrays.h"
#include "ir/op_def.h"
#include "support/error.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// The rows of the smallest table, so that ids below them are in range everywhere.
int64_t fewest_rows(const Func& func) {
  int64_t rows = 3;  // no more are needed
  for (const Op& op : func.ops) {
    if (op.body) rows = std::min(rows, fewest_rows(*op.body));
    const Shape* table = nullptr;
    if (op.kind == OpKind::gather) table = &func.type(op.operands[0]).shape;
    if (op.kind == OpKind::scatter_add) table = &op.attrs.type.shape;
    if (table && !(*table)[0].is_named()) rows = std::min(rows, (*table)[0].size());
    const bool in_range = op.kind == OpKind::in_range, lengths = op.kind == OpKind::scan && op.attrs.lengths;
    const Dim end = in_range ? op.attrs.dim : lengths ? trip_count(func, op) : Dim("any");
    if (!end.is_named()) rows = std::min(rows, end.size() + (lengths ? 1 : op.attrs.hi));
  }
  return rows;
}

/// Small sizes for the named dims; for those that the pass bound, the numbers it gave them.
DimValues small_dims(const Func& before, const Func& after) {
  DimValues dims;
  int64_t next = 0;
  for (const std::string& name : named_dims(before)) dims[name] = 2 + next++ % 3;
  for (size_t i = 0; i < before.params.size(); ++i) {
    const Shape &from = before.type(before.params[i]).shape, &to = after.type(after.params[i]).shape;
    for (size_t d = 0; d < from.size(); ++d)
      if (from[d].is_named() && !to[d].is_named()) dims[from[d].name()] = to[d].size();
  }
  return dims;
}

bool uses_f32(const Func& func) {
  return std::any_of(func.values.begin(), func.values.end(),
                     [](const auto& v) { return v.type.dtype == DType::f32; });
}

}  // namespace

void check_pass(std::string_view pass, const Func& before, const Func& after) {
  const DimValues dims = small_dims(before, after);
  std::vector<Array> inputs = random_inputs(after, dims, 1, std::max<int64_t>(1, fewest_rows(before)));
  std::vector<Array> have = evaluate(after, inputs, dims);
  inputs.resize(before.params.size());
  std::vector<Array> want = evaluate(before, inputs, dims);
  have.resize(std::min(have.size(), want.size()));
  want.resize(have.size());
  const double worst = difference(have, want);
  const double limit = uses_f32(before) ? 1e-5 : 1e-10;
  RONDO_CHECK(worst <= limit,
              fmt::format("{} changes what {} computes: results differ by {:g}", pass, before.name, worst));
}

}  // namespace rondo::passes
