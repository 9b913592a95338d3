// Dropout between layers.
#pragma once

#include <utility>

#include "frontend/random.h"
#include "frontend/scan.h"

namespace rondo {

/// Among the layers of a stack: `dropout` of what comes from the layer below. With Draw::once it is
/// variational: all steps have one mask (Gal and Ghahramani 2016).
struct Dropout {
  double rate = 0;
  Draw draw = Draw::each_step;

  /// Of one step.
  Tensor operator()(Operand x) const { return dropout(x, rate, draw); }

  /// Of a sequence [T,B,...].
  struct State {};
  State initial(const Dim&) const { return {}; }
  std::pair<State, Tensor> operator()(const State&, Operand xs, const ScanOptions&) const {
    if (draw == Draw::each_step) return {{}, dropout(xs, rate)};
    const Shape shape = xs.tensor().shape();
    return {{}, xs * dropout_mask({shape.begin() + 1, shape.end()}, rate, draw, xs.where())};
  }
};

}  // namespace rondo
