#include "frontend/losses.h"

#include <fmt/format.h>

#include <algorithm>

namespace rondo {
namespace {

/// Where the ids stand for something that does not count.
Tensor is_ignored(const Tensor& ids, int32_t ignore) {
  return ignore < 0 ? less(ids, 0) : equal(ids, ignore);
}

/// The mask without the ids that do not count.
Tensor counting(const Tensor& ids, int32_t ignore, const Tensor& mask) {
  return select(is_ignored(ids, ignore), constant(0, mask.type()), mask);
}

}  // namespace

Tensor mean_where(Operand mask, Operand x) {
  LibraryCall call("mean_where", x.where());
  const Tensor values = x, holds = expand_like(mask, values);
  const Tensor count = sum(select(holds, ones(values.shape(), x.where()), 0));
  return sum(select(holds, values, 0)) / max(count, 1);
}

Tensor CrossEntropy::each(Operand logits, Operand operand) const {
  LibraryCall call("cross_entropy", logits.where());
  if (!(label_smoothing >= 0 && label_smoothing <= 1))
    fail(fmt::format("a label smoothing of {} is not in [0,1]", label_smoothing), logits.where());
  const Tensor x = logits, given = operand;
  const Tensor ids = check_ids({given, operand.where()}, x.dim(-1), std::min(ignore.value_or(0), 0));
  const Tensor chosen = equal(expand(ids, -1, x.dim(-1)), iota(x.shape(), -1));
  Tensor wanted = sum(select(chosen, x, 0), -1);
  if (label_smoothing > 0) wanted = (1 - label_smoothing) * wanted + label_smoothing * mean(x, -1);
  const Tensor losses = logsumexp(x) - wanted;
  return ignore ? select(is_ignored(given, *ignore), 0, losses) : losses;
}

Tensor CrossEntropy::operator()(Operand logits, Operand ids) const {
  const Tensor losses = each(logits, ids);
  if (!ignore) return mean({losses, logits.where()});
  const Tensor all = constant(1, Type{pred, losses.shape()});
  return mean_where(counting(ids, *ignore, all), {losses, logits.where()});
}

Tensor CrossEntropy::operator()(Operand logits, Operand ids, Operand mask) const {
  const Tensor counts = ignore ? counting(ids, *ignore, mask) : mask.tensor();
  return mean_where(counts, {each(logits, ids), logits.where()});
}

// -t log p - (1 - t) log(1 - p) = log(1 + e^x) - t x, and log(1 + e^x) = m + log(e^-m + e^(x - m)) for any m;
// with m = max(x, 0) no exp overflows. m - t x is exact where the loss is small: there both are 0 or both x.
Tensor BinaryCrossEntropy::each(Operand logits, Operand target) const {
  LibraryCall call("binary_cross_entropy", logits.where());
  const Tensor m = detach(max(logits, 0));
  return (m - target * logits) + log(exp(-m) + exp(logits - m));
}

Tensor SquaredError::each(Operand y, Operand target) const {
  LibraryCall call("squared_error", y.where());
  return square(y - target);
}

// With q = min(d, delta) it is q d - q^2 / 2, of slope q in d on both sides.
Tensor Huber::each(Operand y, Operand target) const {
  LibraryCall call("huber", y.where());
  if (!(delta > 0)) fail(fmt::format("a delta of {} is not over 0", delta), y.where());
  const Tensor d = abs(y - target), q = min(d, delta);
  return q * d - square(q) / 2;
}

}  // namespace rondo
