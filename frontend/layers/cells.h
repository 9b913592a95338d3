// Recurrent cells: each reads as its equations. A cell of one's own is written the same way.
//
// A cell has a State with the member h, its output; `initial(batch)`, the state at the start; and a call that
// takes the state and the input of one step and gives the next state. The matrices of its gates are merged:
// [in, gates * hidden].
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "frontend/ops.h"

namespace rondo {

struct CellOptions {
  bool bias = true;
  /// A second bias beside that of the input, as PyTorch has it. (In a reset-after GRU it is no duplicate, and
  /// always there.)
  bool hidden_bias = false;
  Init input_init = init::glorot();       // of one gate's block of wx
  Init hidden_init = init::orthogonal();  // of one gate's block of wh
  Init bias_init = init::zeros();
};

/// What the gates of every cell have in common: wx [in, gates * hidden], wh [hidden, gates * hidden], b and
/// bh [gates * hidden].
class Gates {
 public:
  Param wx, wh, b, bh;
  int64_t hidden = 0;

  Gates() = default;
  Gates(Model& m, const std::string& name, int64_t in, int64_t hidden, int gates, const CellOptions& options,
        Where where);
  Gates(Model& m, const std::string& name, int64_t in, int64_t hidden, int gates, const CellOptions& options,
        Init b_init, Where where);

  /// x wx + b, for all gates. x may be ids (i32): the product with one-hot rows is then the rows themselves.
  Tensor of_input(Operand x) const;
  /// h wh + bh, for all gates.
  Tensor of_hidden(Operand h) const;
};

/// A state that is the output alone.
struct HiddenState {
  Tensor h;
};

/// h = f(x wx + h wh + b)
class Rnn : public Gates {
 public:
  using State = HiddenState;
  using Activation = std::function<Tensor(Tensor)>;
  Activation activation;

  Rnn() = default;
  Rnn(
      Model& m, const std::string& name, int64_t in, int64_t hidden, const CellOptions& options = {},
      Activation f = [](Tensor a) { return tanh(a); }, Where where = Where::here())
      : Gates(m, name, in, hidden, 1, options, where), activation(std::move(f)) {}

  State initial(Dim batch) const { return {zeros({std::move(batch), hidden})}; }
  State operator()(const State& s, Operand x) const {
    LibraryCall call("rnn", x.where());
    return {activation(of_input(x) + of_hidden(s.h))};
  }
};

struct LstmOptions : CellOptions {
  /// Of the forget gate in b, in place of bias_init (Jozefowicz et al. 2015).
  std::optional<double> forget_bias = 1;
};

/// (i, f, g, o) = (sigmoid, sigmoid, tanh, sigmoid) of x wx + h wh + b;  c = f c + i g;  h = o tanh c.
class Lstm : public Gates {
 public:
  struct State {
    Tensor h, c;
  };

  Lstm() = default;
  Lstm(Model& m, const std::string& name, int64_t in, int64_t hidden, const LstmOptions& options = {},
       Where where = Where::here());

  State initial(Dim batch) const { return {zeros({batch, hidden}), zeros({batch, hidden})}; }
  State operator()(const State& s, Operand x) const {
    LibraryCall call("lstm", x.where());
    auto [i, f, g, o] = split<4>(of_input(x) + of_hidden(s.h), -1);
    const Tensor c = sigmoid(f) * s.c + sigmoid(i) * tanh(g);
    return {sigmoid(o) * tanh(c), c};
  }
};

/// r, z = sigmoid of x wx + h wh + b;  h = z h + (1 - z) n, where
///   n = tanh(x wxn + (r h) whn + bn), reset before the product (Cho et al. 2014), or
///   n = tanh(x wxn + bn + r (h whn + bhn)), reset after it (cuDNN, PyTorch). Gates r, z, n.
class Gru : public Gates {
 public:
  using State = HiddenState;
  enum class Reset { before, after };
  Reset reset = Reset::before;

  Gru() = default;
  Gru(Model& m, const std::string& name, int64_t in, int64_t hidden, Reset reset = Reset::before,
      const CellOptions& options = {}, Where where = Where::here());

  State initial(Dim batch) const { return {zeros({std::move(batch), hidden})}; }
  State operator()(const State& s, Operand x) const;
};

}  // namespace rondo
