// Cells that no library has to bring: each is its equations.
//
// A cell has a State with the member h, its output; `initial(batch)`; and a call that takes the state and one
// step's input and gives the next state.
#pragma once

#include <string>

#include "rondo/rondo.h"

namespace own_cell {

using namespace rondo;

/// Feng et al. 2024, "Were RNNs all we needed?". The gate and the candidate see the input only: linear in h.
struct MinGru {
  using State = HiddenState;
  int64_t hidden;
  Linear z, n;

  MinGru(Model& m, const std::string& name, int64_t in, int64_t hidden)
      : hidden(hidden), z(m, name + ".z", in, hidden), n(m, name + ".n", in, hidden) {}

  State initial(Dim batch) const { return {zeros({batch, hidden})}; }
  State operator()(const State& s, Tensor x) const {
    const Tensor u = sigmoid(z(x));
    return {(1 - u) * s.h + u * n(x)};
  }
};

/// Lei et al. 2018, "Simple recurrent units for highly parallelizable recurrence". With `v` the gates see
/// their own unit's c; without, as in the paper's first version, the recurrence is linear in c.
struct Sru {
  struct State {
    Tensor h, c;
  };
  int64_t hidden;
  Linear in;  // candidate, forget gate, reset gate, and x in the size of h
  Param vf, vr;

  Sru(Model& m, const std::string& name, int64_t size, int64_t hidden, bool v = true)
      : hidden(hidden), in(m, name + ".in", size, 4 * hidden) {
    if (v) vf = m.param(name + ".vf", {hidden}), vr = m.param(name + ".vr", {hidden});
  }

  State initial(Dim batch) const { return {zeros({batch, hidden}), zeros({batch, hidden})}; }
  State operator()(const State& s, Tensor x) const {
    auto [n, f, r, skip] = split<4>(in(x), -1);
    if (vf.is_set()) f = f + vf * s.c, r = r + vr * s.c;
    const Tensor forget = sigmoid(f), reset = sigmoid(r);
    const Tensor c = forget * s.c + (1 - forget) * n;
    return {reset * c + (1 - reset) * skip, c};
  }
};

struct LinearSru : Sru {
  LinearSru(Model& m, const std::string& name, int64_t in, int64_t hidden)
      : Sru(m, name, in, hidden, false) {}
};

struct LstmState {
  Tensor h, c;
};

/// Gers and Schmidhuber 2000: the gates of an LSTM also see the cell's state.
struct PeepholeLstm {
  using State = LstmState;
  int64_t hidden;
  Linear in, back;  // of x and of h, for the gates i, f, g, o
  Param pi, pf, po;

  PeepholeLstm(Model& m, const std::string& name, int64_t in, int64_t hidden)
      : hidden(hidden),
        in(m, name + ".in", in, 4 * hidden),
        back(m, name + ".back", hidden, 4 * hidden, false),
        pi(m.param(name + ".pi", {hidden})),
        pf(m.param(name + ".pf", {hidden})),
        po(m.param(name + ".po", {hidden})) {}

  State initial(Dim batch) const { return {zeros({batch, hidden}), zeros({batch, hidden})}; }
  State operator()(const State& s, Tensor x) const {
    auto [i, f, g, o] = split<4>(in(x) + back(s.h), -1);
    const Tensor c = sigmoid(f + pf * s.c + 1) * s.c + sigmoid(i + pi * s.c) * tanh(g);
    return {sigmoid(o + po * c) * tanh(c), c};
  }
};

/// (a - mean) / deviation * gain, over the last axis.
inline Tensor normalised(Tensor a, const Param& gain) {
  const Dim n = a.dim(-1);
  const Tensor centred = a - expand(mean(a, -1), -1, n);
  return centred * expand(rsqrt(mean(square(centred), -1) + 1e-5), -1, n) * gain;
}

/// Ba et al. 2016, "Layer normalization": both products and the cell are normalised.
struct LayerNormLstm {
  using State = LstmState;
  int64_t hidden;
  Linear in, back;  // of x and of h, for the gates i, f, g, o
  Param gx, gh, gc, b;

  LayerNormLstm(Model& m, const std::string& name, int64_t in, int64_t hidden)
      : hidden(hidden),
        in(m, name + ".in", in, 4 * hidden, false),
        back(m, name + ".back", hidden, 4 * hidden, false),
        gx(m.param(name + ".gx", {4 * hidden}, init::constant(1))),
        gh(m.param(name + ".gh", {4 * hidden}, init::constant(1))),
        gc(m.param(name + ".gc", {hidden}, init::constant(1))),
        b(m.param(name + ".b", {4 * hidden}, init::zeros())) {}

  State initial(Dim batch) const { return {zeros({batch, hidden}), zeros({batch, hidden})}; }
  State operator()(const State& s, Tensor x) const {
    auto [i, f, g, o] = split<4>(normalised(in(x), gx) + normalised(back(s.h), gh) + b, -1);
    const Tensor c = sigmoid(f + 1) * s.c + sigmoid(i) * tanh(g);
    return {sigmoid(o) * tanh(normalised(c, gc)), c};
  }
};

/// Invented here: a body that is drawn to where the input points, with a speed and a brake.
struct Follower {
  struct State {
    Tensor h, speed;
  };
  int64_t hidden;
  Linear aim, pull, brake;

  Follower(Model& m, const std::string& name, int64_t in, int64_t hidden)
      : hidden(hidden),
        aim(m, name + ".aim", in, hidden),
        pull(m, name + ".pull", in, hidden),
        brake(m, name + ".brake", in, hidden) {}

  State initial(Dim batch) const { return {zeros({batch, hidden}), zeros({batch, hidden})}; }
  State operator()(const State& s, Tensor x) const {
    const Tensor speed = (1 - sigmoid(brake(x))) * s.speed + sigmoid(pull(x)) * (aim(x) - s.h);
    return {s.h + speed, speed};
  }
};

}  // namespace own_cell
