// Optimizers: each is its update rule, written in the DSL.
//
// An optimizer is a struct with the fields lr, clip_norm and clip_value and the members
//   Slots slots() const                         the tensors it keeps for each parameter, of its shape and
//   zero at first Shared shared() const                       the scalars it keeps once, zero at first Shared
//   advance(Shared) const                once an update, before the parameters Tensor operator()(w, g, lr,
//   slots, shared)  the new w; changes the parameter's slots
// where Slots and Shared are structs of tensors: users write their own like cells.
#pragma once

#include <concepts>
#include <vector>

#include "frontend/ops.h"
#include "frontend/state.h"

namespace rondo {

template <class O>
concept Optimizer = requires(const O& o, Tensor t, decltype(o.slots()) slots) {
  { o.lr } -> std::convertible_to<double>;
  { o.clip_norm } -> std::convertible_to<double>;
  { o.clip_value } -> std::convertible_to<double>;
  { o.advance(o.shared()) } -> std::same_as<decltype(o.shared())>;
  { o(t, t, t, slots, o.shared()) } -> std::same_as<Tensor>;
};

/// No scalars to keep.
struct NothingShared {};

/// v = momentum v + g;  w = w - lr v
struct Sgd {
  double lr = 0.01, momentum = 0;
  double clip_norm = 0, clip_value = 0;  // 0: off

  struct Slots {
    std::vector<Tensor> v;  // none without momentum
  };
  Slots slots() const { return {std::vector<Tensor>(momentum == 0 ? 0 : 1)}; }
  NothingShared shared() const { return {}; }
  NothingShared advance(NothingShared) const { return {}; }

  Tensor operator()(Tensor w, Tensor g, Tensor lr, Slots& s, NothingShared) const {
    if (s.v.empty()) return w - lr * g;
    s.v[0] = momentum * s.v[0] + g;
    return w - lr * s.v[0];
  }
};

/// v = smoothing v + (1 - smoothing) g^2;  w = w - lr g / (sqrt v + eps)  (Tieleman and Hinton 2012)
struct RmsProp {
  double lr = 0.01, smoothing = 0.99, eps = 1e-8;
  double clip_norm = 0, clip_value = 0;

  struct Slots {
    Tensor v;
  };
  Slots slots() const { return {}; }
  NothingShared shared() const { return {}; }
  NothingShared advance(NothingShared) const { return {}; }

  Tensor operator()(Tensor w, Tensor g, Tensor lr, Slots& s, NothingShared) const {
    s.v = smoothing * s.v + (1 - smoothing) * square(g);
    return w - lr * g / (sqrt(s.v) + eps);
  }
};

/// m, v: moving averages of g and g^2, each divided by the same average of 1, which takes out the bias of
/// their start at zero; w = w - lr m / (sqrt v + eps)  (Kingma and Ba 2015). The average of 1 is 1 - beta^t,
/// without its cancellation.
struct Adam {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double clip_norm = 0, clip_value = 0;

  struct Slots {
    Tensor m, v;
  };
  struct Shared {
    Tensor one1, one2;
  };
  Slots slots() const { return {}; }
  Shared shared() const { return {}; }
  Shared advance(Shared s) const { return {beta1 * s.one1 + (1 - beta1), beta2 * s.one2 + (1 - beta2)}; }

  Tensor operator()(Tensor w, Tensor g, Tensor lr, Slots& s, Shared shared) const {
    s.m = beta1 * s.m + (1 - beta1) * g;
    s.v = beta2 * s.v + (1 - beta2) * square(g);
    return w - lr * (s.m / shared.one1) / (sqrt(s.v / shared.one2) + eps);
  }
};

}  // namespace rondo
