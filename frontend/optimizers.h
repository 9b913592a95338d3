// Optimizers: each is its update rule, written in the DSL.
//
// An optimizer is a struct with the fields lr, clip_norm and clip_value, and with four members.
// `Slots slots() const` are the tensors it keeps for each parameter, of its shape and zero at first;
// `Shared shared() const` are the scalars it keeps once, zero at first; `Shared advance(Shared) const` is
// their next value, once an update and before the parameters; and `Tensor operator()(w, g, lr, slots, shared)
// const` is the new w, and changes the slots. Slots and Shared are structs of tensors: users write their own
// like cells.
//
// weight_decay is that of PyTorch: all but AdamW add weight_decay w to the gradient, which is the derivative
// of the penalty weight_decay / 2 |w|^2. Gradients are clipped before.
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

namespace detail {

/// The gradient of the loss + decay / 2 |w|^2.
inline Tensor penalized(const Tensor& g, const Tensor& w, double decay) {
  return decay == 0 ? g : g + decay * w;
}

}  // namespace detail

/// v = momentum v + g;  w = w - lr v, or by Nesterov's momentum w = w - lr (g + momentum v)
struct Sgd {
  double lr = 0.01, momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
  double clip_norm = 0, clip_value = 0;  // 0: off

  struct Slots {
    std::vector<Tensor> v;  // none without momentum
  };
  Slots slots() const { return {std::vector<Tensor>(momentum == 0 ? 0 : 1)}; }
  NothingShared shared() const { return {}; }
  NothingShared advance(NothingShared) const { return {}; }

  Tensor operator()(Tensor w, Tensor g, Tensor lr, Slots& s, NothingShared) const {
    g = detail::penalized(g, w, weight_decay);
    if (s.v.empty()) return w - lr * g;
    s.v[0] = momentum * s.v[0] + g;
    return w - lr * (nesterov ? g + momentum * s.v[0] : s.v[0]);
  }
};

/// v = v + g^2;  w = w - lr g / (sqrt(v) + eps)  (Duchi et al. 2011)
struct Adagrad {
  double lr = 0.01, eps = 1e-10;
  double initial = 0;  // of v
  double weight_decay = 0;
  double clip_norm = 0, clip_value = 0;

  struct Slots {
    Tensor v;  // without its initial value
  };
  Slots slots() const { return {}; }
  NothingShared shared() const { return {}; }
  NothingShared advance(NothingShared) const { return {}; }

  Tensor operator()(Tensor w, Tensor g, Tensor lr, Slots& s, NothingShared) const {
    g = detail::penalized(g, w, weight_decay);
    s.v = s.v + square(g);
    return w - lr * g / (sqrt(initial == 0 ? s.v : s.v + initial) + eps);
  }
};

/// v = smoothing v + (1 - smoothing) g^2;  u = g / (sqrt(v) + eps);  w = w - lr u  (Tieleman and Hinton
/// 2012). Centered, v is less the square of the same average of g: a variance (Graves 2013). With momentum, w
/// = w - lr b where b = momentum b + u.
struct RmsProp {
  double lr = 0.01, smoothing = 0.99, eps = 1e-8;
  double momentum = 0;
  bool centered = false;
  double weight_decay = 0;
  double clip_norm = 0, clip_value = 0;

  struct Slots {
    Tensor v;
    std::vector<Tensor> mean, b;  // if centered; with momentum
  };
  Slots slots() const { return {{}, std::vector<Tensor>(centered), std::vector<Tensor>(momentum != 0)}; }
  NothingShared shared() const { return {}; }
  NothingShared advance(NothingShared) const { return {}; }

  Tensor operator()(Tensor w, Tensor g, Tensor lr, Slots& s, NothingShared) const {
    g = detail::penalized(g, w, weight_decay);
    s.v = smoothing * s.v + (1 - smoothing) * square(g);
    Tensor v = s.v;
    for (Tensor& mean : s.mean) {
      mean = smoothing * mean + (1 - smoothing) * g;
      v = max(v - square(mean), 0);
    }
    Tensor u = g / (sqrt(v) + eps);
    for (Tensor& b : s.b) u = b = momentum * b + u;
    return w - lr * u;
  }
};

/// m, v: moving averages of g and g^2, each divided by the same average of 1, which takes out the bias of
/// their start at zero; w = w - lr m / (sqrt v + eps)  (Kingma and Ba 2015). The average of 1 is 1 - beta^t,
/// without its cancellation.
struct Adam {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;
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
    g = detail::penalized(g, w, weight_decay);
    s.m = beta1 * s.m + (1 - beta1) * g;
    s.v = beta2 * s.v + (1 - beta2) * square(g);
    return w - lr * (s.m / shared.one1) / (sqrt(s.v / shared.one2) + eps);
  }
};

/// Adam, and w = w - lr weight_decay w apart from it: the decay is not scaled as the gradient is (Loshchilov
/// and Hutter 2019).
struct AdamW {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.01;
  double clip_norm = 0, clip_value = 0;

  using Slots = Adam::Slots;
  using Shared = Adam::Shared;
  Slots slots() const { return {}; }
  Shared shared() const { return {}; }
  Shared advance(Shared s) const { return adam().advance(s); }

  Tensor operator()(Tensor w, Tensor g, Tensor lr, Slots& s, Shared shared) const {
    return adam()(w - lr * weight_decay * w, g, lr, s, shared);
  }

 private:
  Adam adam() const { return {.lr = lr, .beta1 = beta1, .beta2 = beta2, .eps = eps}; }
};

}  // namespace rondo
