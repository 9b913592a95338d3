#include "passes/vectorize.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "ir/op_def.h"
#include "support/error.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// The op for all steps at once; none where it stays in the scan.
std::optional<AllSteps> for_all_steps(const Op& op, std::vector<char> stacked, const Dim& steps) {
  const VectorizeRule rule = def_of(op.kind).vectorize;
  if (!rule) return std::nullopt;
  AllSteps all{steps, op.attrs, std::move(stacked)};
  return rule(all) ? std::optional(std::move(all)) : std::nullopt;
}

bool any_of(std::span<const char> flags) { return std::find(flags.begin(), flags.end(), 1) != flags.end(); }

}  // namespace

bool can_vectorize(const Op& op, std::span<const char> stacked) {
  return !any_of(stacked) || for_all_steps(op, {stacked.begin(), stacked.end()}, Dim(1));
}

Value stacked(Builder& b, const Outside& v, const Dim& steps) {
  if (v.stacked) return v.value;
  Shape shape = b.type(v.value).shape;
  std::vector<int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 1);
  shape.insert(shape.begin(), steps);
  return b.broadcast(v.value, std::move(shape), std::move(axes));
}

std::vector<Outside> vectorize(Builder& b, const Func& body, const Op& op, std::span<const Outside> in,
                               const Dim& steps) {
  std::vector<char> flags;
  std::vector<Value> operands;
  for (const Outside& v : in) {
    flags.push_back(v.stacked);
    operands.push_back(v.value);
  }
  if (!any_of(flags)) {
    std::vector<Outside> results;
    for (Value v : b.copy(body, op, std::move(operands))) results.push_back({v, false});
    return results;
  }
  std::optional<AllSteps> all = for_all_steps(op, std::move(flags), steps);
  RONDO_CHECK(all, fmt::format("{} stays in its scan", def_of(op.kind).name));
  for (size_t i = 0; i < in.size(); ++i)
    if (all->stacked[i]) operands[i] = stacked(b, in[i], steps);
  return {{b.emit(op.kind, std::move(operands), std::move(all->attrs), body.value_name(op.result())), true}};
}

}  // namespace rondo::passes
