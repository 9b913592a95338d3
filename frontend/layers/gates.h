// What the gates of recurrent cells have in common.
//
// A cell has a State with the member h, its output; `initial(batch)`, the state at the start; and a call that
// takes the state and the input of one step and gives the next state: see `RecurrentCell`. The matrices of
// its gates are merged: [in, gates * hidden]. A cell of one's own is written the same way.
#pragma once

#include <concepts>
#include <functional>
#include <string>

#include "frontend/layers/norm.h"
#include "frontend/ops.h"

namespace rondo {

/// What every cell is, the library's and a user's own.
template <class C>
concept RecurrentCell = requires(const C& cell, const typename C::State& s, const Dim& batch, Tensor x) {
  { cell.initial(batch) } -> std::same_as<typename C::State>;
  { cell(s, x) } -> std::same_as<typename C::State>;
  { s.h } -> std::convertible_to<Tensor>;
};

/// A function of each element: tanh, sigmoid, relu, or one's own.
using Activation = std::function<Tensor(Tensor)>;

/// x within [-bound, bound]; x itself where bound is 0.
Tensor clipped(Operand x, double bound);

struct CellOptions {
  bool bias = true;
  /// A second bias beside that of the input, as PyTorch has it. (In a reset-after GRU it is no duplicate, and
  /// always there.)
  bool hidden_bias = false;
  Init input_init = init::glorot();       // of one gate's block of wx
  Init hidden_init = init::orthogonal();  // of one gate's block of wh
  Init bias_init = init::zeros();
  /// x wx and h wh are normalised, each over all gates, before they are added (Ba et al. 2016).
  bool layer_norm = false;
  /// What enters the gates' activations stays within [-clip, clip], as in ONNX. 0: no bound.
  double clip = 0;
};

/// wx [in, gates * hidden], wh [out, gates * hidden], b and bh [gates * hidden].
class Gates {
 public:
  struct Sizes {
    int64_t in, hidden, gates;
    int64_t out = hidden;  // of h
  };
  Param wx, wh, b, bh;
  LayerNorm norm_x, norm_h;  // their biases would double b
  double clip = 0;
  int64_t hidden = 0, out = 0;

  Gates() = default;
  Gates(Model& m, const std::string& name, const Sizes& sizes, const CellOptions& options, Where where);
  Gates(Model& m, const std::string& name, const Sizes& sizes, const CellOptions& options, Init b_init,
        Where where);

  /// x wx + b, for all gates. x may be ids (i32): the product with one-hot rows is then the rows themselves.
  Tensor of_input(Operand x) const;
  /// h wh + bh, for all gates.
  Tensor of_hidden(Operand h) const;
};

/// A state that is the output alone.
struct HiddenState {
  Tensor h;
};

/// Throws Error unless the bound, which the user calls `what`, is a number from 0.
void check_bound(const std::string& cell, const char* what, double bound, Where where);

}  // namespace rondo
