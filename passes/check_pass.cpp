#include "passes/check_pass.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/arrays.h"
#include "support/error.h"

namespace rondo::passes {

using namespace ir;

namespace {

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
  std::vector<Array> inputs = random_inputs(after, dims, 1, ids_in_range(before, dims));
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
