// Losses: each is a number an element, and the mean of these.
//
// A loss is a struct with `each(y, target)`, the loss of each element, and `loss(y, target)`, their mean;
// with a mask, the mean where it holds (mean_where). Users write their own as functions of y and target.
#pragma once

#include <optional>

#include "frontend/ops.h"

namespace rondo {

/// The mean of x's elements where the mask holds; 0 if it does nowhere. The mask is pred, of x's shape or its
/// leading dims, as [T,B] for [T,B,H]. What x is elsewhere does not matter, infinite or no number included.
Tensor mean_where(Operand mask, Operand x);

/// -log softmax(logits)[id], for logits [...,V] and ids [...] in [0, V).
///
/// With `ignore` in [0, V), elements of that id do not count. With a negative one, negative ids from it on do
/// not. With label smoothing s, the target is 1 - s of the id and s of all V in equal parts (Szegedy et al.
/// 2016).
struct CrossEntropy {
  std::optional<int32_t> ignore = {};
  double label_smoothing = 0;

  Tensor each(Operand logits, Operand ids) const;  // 0 where it does not count
  Tensor operator()(Operand logits, Operand ids) const;
  Tensor operator()(Operand logits, Operand ids, Operand mask) const;
};

/// -target log p - (1 - target) log(1 - p), where p = sigmoid(logit); exact however large the logits are.
struct BinaryCrossEntropy {
  Tensor each(Operand logits, Operand target) const;
  Tensor operator()(Operand logits, Operand target) const {
    return mean({each(logits, target), logits.where()});
  }
  Tensor operator()(Operand logits, Operand target, Operand mask) const {
    return mean_where(mask, {each(logits, target), logits.where()});
  }
};

/// (y - target)^2
struct SquaredError {
  Tensor each(Operand y, Operand target) const;
  Tensor operator()(Operand y, Operand target) const { return mean({each(y, target), y.where()}); }
  Tensor operator()(Operand y, Operand target, Operand mask) const {
    return mean_where(mask, {each(y, target), y.where()});
  }
};

/// With d = |y - target|: d^2 / 2 up to delta, from there on the straight line delta (d - delta / 2) (Huber
/// 1964).
struct Huber {
  double delta = 1;

  Tensor each(Operand y, Operand target) const;
  Tensor operator()(Operand y, Operand target) const { return mean({each(y, target), y.where()}); }
  Tensor operator()(Operand y, Operand target, Operand mask) const {
    return mean_where(mask, {each(y, target), y.where()});
  }
};

inline constexpr CrossEntropy softmax_cross_entropy{};
inline constexpr SquaredError mse{};

}  // namespace rondo
