// Losses: the mean over all elements.
#pragma once

#include "frontend/ops.h"

namespace rondo {

/// -log softmax(logits)[id], for logits [...,V] and ids [...] in [0, V).
inline Tensor softmax_cross_entropy(Operand logits, Operand ids) {
  LibraryCall call("softmax_cross_entropy", logits.where());
  const Tensor x = logits, target = check_ids(ids, x.dim(-1));
  const Tensor row = iota(x.shape(), -1), repeated = expand(target, -1, x.dim(-1));
  return mean(logsumexp(x) - sum(select(equal(repeated, row), x, 0), -1));
}

/// (y - target)^2
inline Tensor mse(Operand y, Operand target) {
  LibraryCall call("mse", y.where());
  return mean(square(y - target));
}

}  // namespace rondo
