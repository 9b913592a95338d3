// An amplifier as a recurrent network: the LSTM hears the signal, a linear layer says how the sound differs.
#pragma once

#include <rondo/rondo.h>

#include <utility>

struct Amp : rondo::Model {
  rondo::Lstm lstm{*this, "lstm", 1, 16};
  rondo::Linear head{*this, "head", 16, 1};

  rondo::Lstm::State initial(const rondo::Dim& batch) const { return lstm.initial(batch); }
  /// x, y [B,1]: one sample in, one out.
  std::pair<rondo::Lstm::State, rondo::Tensor> step(rondo::Lstm::State s, const rondo::Tensor& x) const {
    s = lstm(s, x);
    return {s, x + head(s.h)};
  }
};
