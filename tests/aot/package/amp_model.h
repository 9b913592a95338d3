#pragma once

#include <rondo/rondo.h>

#include <utility>

struct Amp : rondo::Model {
  rondo::Gru gru{*this, "gru", 1, 8};
  rondo::Linear head{*this, "head", 8, 1};

  rondo::Gru::State initial(const rondo::Dim& batch) const { return gru.initial(batch); }
  std::pair<rondo::Gru::State, rondo::Tensor> step(rondo::Gru::State s, rondo::Tensor x) const {
    s = gru(s, x);
    return {s, head(s.h)};
  }
};
