#include "passes/deviation.h"

#include <algorithm>

namespace rondo::passes {

using namespace ir;

namespace {

const Op* def(const Func& f, Value v, OpKind kind) {
  const Op* op = f.def(v);
  return op && op->kind == kind ? op : nullptr;
}

/// Whether the op makes the mean of a sum of so many terms.
bool divides(const Func& f, const Op& op, double count) {
  const Op* number = op.operands.size() == 2 ? def(f, op.operands[1], OpKind::constant) : nullptr;
  if (!number) return false;
  const double by = number->attrs.number;
  return (op.kind == OpKind::div && by == count) || (op.kind == OpKind::mul && by * count == 1);
}

/// Of how many elements the op is the sum, if the dims that it keeps are these, and their number is known.
double terms(const Func& f, const Op& sum, const std::vector<int64_t>& kept) {
  const Shape& shape = f.type(sum.operands[0]).shape;
  double count = 1;
  for (int64_t axis : sum.attrs.axes) {
    const Dim& dim = shape[static_cast<size_t>(axis)];
    if (dim.is_named() || std::ranges::count(kept, axis) > 0) return 0;
    count *= static_cast<double>(dim.size());
  }
  return sum.attrs.axes.size() + kept.size() == shape.size() ? count : 0;
}

}  // namespace

Value deviating(const Func& f, Value v, const std::vector<int64_t>& kept) {
  const Op* difference = def(f, v, OpKind::sub);
  const Op* means = difference ? def(f, difference->operands[1], OpKind::broadcast) : nullptr;
  const Op* mean = means && means->attrs.axes == kept ? f.def(means->operands[0]) : nullptr;
  const Op* sum = mean && !mean->operands.empty() ? def(f, mean->operands[0], OpKind::reduce_sum) : nullptr;
  const bool is_mean =
      sum && sum->operands[0] == difference->operands[0] && divides(f, *mean, terms(f, *sum, kept));
  return is_mean ? difference->operands[0] : Value{};
}

}  // namespace rondo::passes
