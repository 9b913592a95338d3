// The built-in cells once more, as a user writes them who has the equations only: a matrix of its own for
// each gate, and nothing of the library's layers but their parameters.
#pragma once

#include <string>

#include "rondo/rondo.h"

namespace rondo::bench {

/// x wx + h wh + b of one gate.
struct Gate {
  Param wx, wh, b;

  Gate(Model& m, const std::string& name, int64_t in, int64_t hidden)
      : wx(m.param(name + ".wx", {in, hidden})),
        wh(m.param(name + ".wh", {hidden, hidden})),
        b(m.param(name + ".b", {hidden}, init::zeros())) {}

  Tensor operator()(Tensor x, Tensor h) const { return matmul(x, wx) + matmul(h, wh) + b; }
};

struct OwnLstm {
  struct State {
    Tensor h, c;
  };
  int64_t hidden;
  Gate i, f, g, o;

  OwnLstm(Model& m, const std::string& name, int64_t in, int64_t hidden)
      : hidden(hidden),
        i(m, name + ".i", in, hidden),
        f(m, name + ".f", in, hidden),
        g(m, name + ".g", in, hidden),
        o(m, name + ".o", in, hidden) {}

  State initial(Dim batch) const { return {zeros({batch, hidden}), zeros({batch, hidden})}; }
  State operator()(const State& s, Tensor x) const {
    const Tensor c = sigmoid(f(x, s.h)) * s.c + sigmoid(i(x, s.h)) * tanh(g(x, s.h));
    return {sigmoid(o(x, s.h)) * tanh(c), c};
  }
};

/// Reset after the product.
struct OwnGru {
  using State = HiddenState;
  int64_t hidden;
  Gate r, z;
  Param wx, wh, b, bh;

  OwnGru(Model& m, const std::string& name, int64_t in, int64_t hidden)
      : hidden(hidden),
        r(m, name + ".r", in, hidden),
        z(m, name + ".z", in, hidden),
        wx(m.param(name + ".n.wx", {in, hidden})),
        wh(m.param(name + ".n.wh", {hidden, hidden})),
        b(m.param(name + ".n.b", {hidden}, init::zeros())),
        bh(m.param(name + ".n.bh", {hidden}, init::zeros())) {}

  State initial(Dim batch) const { return {zeros({batch, hidden})}; }
  State operator()(const State& s, Tensor x) const {
    const Tensor keep = sigmoid(z(x, s.h));
    const Tensor n = tanh(matmul(x, wx) + b + sigmoid(r(x, s.h)) * (matmul(s.h, wh) + bh));
    return {keep * s.h + (1 - keep) * n};
  }
};

struct OwnRnn {
  using State = HiddenState;
  int64_t hidden;
  Gate gate;

  OwnRnn(Model& m, const std::string& name, int64_t in, int64_t hidden)
      : hidden(hidden), gate(m, name, in, hidden) {}

  State initial(Dim batch) const { return {zeros({batch, hidden})}; }
  State operator()(const State& s, Tensor x) const { return {tanh(gate(x, s.h))}; }
};

}  // namespace rondo::bench
