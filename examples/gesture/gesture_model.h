// Names gestures: a GRU hears an accelerometer, a linear layer says after each reading what it takes it for.
#pragma once

#include <rondo/rondo.h>

#include <utility>

#include "sensor.h"

struct Gesture : rondo::Model {
  rondo::Gru gru{*this, "gru", 3, 16};
  rondo::Linear head{*this, "head", 16, kGestures};

  rondo::Gru::State initial(const rondo::Dim& batch) const { return gru.initial(batch); }
  /// x [B,3]: the acceleration in g; y [B,kGestures]: logits.
  std::pair<rondo::Gru::State, rondo::Tensor> step(rondo::Gru::State s, const rondo::Tensor& x) const {
    s = gru(s, x);
    return {s, head(s.h)};
  }
};
