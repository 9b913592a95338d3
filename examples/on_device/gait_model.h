// Says what an accelerometer will feel next: a GRU hears each reading, a linear layer says the one to come.
#pragma once

#include <rondo/rondo.h>

#include <utility>

struct Gait : rondo::Model {
  rondo::Gru gru{*this, "gru", 1, 24};
  rondo::Linear head{*this, "head", 24, 1};

  rondo::Gru::State initial(const rondo::Dim& batch) const { return gru.initial(batch); }
  /// x [B,1]: a reading; y [B,1]: the next one.
  std::pair<rondo::Gru::State, rondo::Tensor> step(rondo::Gru::State s, const rondo::Tensor& x) const {
    s = gru(s, x);
    return {s, x + head(s.h)};
  }
};

inline const rondo::StepInput kReading{rondo::f32, {1}};
