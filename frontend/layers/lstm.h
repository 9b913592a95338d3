// Long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000) and its variants.
#pragma once

#include <optional>
#include <string>

#include "frontend/layers/gates.h"

namespace rondo {

struct LstmOptions {
  CellOptions gates = {};
  /// Of the forget gate in b, in place of bias_init (Jozefowicz et al. 2015). Where the gates are coupled,
  /// its negative is the input gate's.
  std::optional<double> forget_bias = 1;
  /// f = 1 - i: there is no forget gate (Greff et al. 2017).
  bool coupled = false;
  /// The gates see c, element by element: i and f that before the step, o that after it (Gers and Schmidhuber
  /// 2000).
  bool peepholes = false;
  /// h = (o tanh c) wp has this many elements (Sak et al. 2014). 0: there is no wp.
  int64_t projection = 0;
  /// c stays within [-cell_clip, cell_clip]. 0: no bound.
  double cell_clip = 0;
  /// Of the gates, and of c where it enters h. With gates.layer_norm c is normalised there.
  struct Activations {
    Activation i = sigmoid, f = sigmoid, g = tanh, o = sigmoid, h = tanh;
  } activations = {};
};

/// (i, f, g, o) = (sigmoid, sigmoid, tanh, sigmoid) of x wx + h wh + b;  c = f c + i g;  h = o tanh c.
class Lstm : public Gates {
 public:
  struct State {
    Tensor h, c;
  };
  Param pi, pf, po;  // peepholes [hidden]
  Param wp;          // projection [hidden, out]
  LayerNorm norm_c;
  LstmOptions options;

  Lstm() = default;
  Lstm(Model& m, const std::string& name, int64_t in, int64_t hidden, const LstmOptions& options = {},
       Where where = Where::here());

  State initial(const Dim& batch) const { return {zeros({batch, out}), zeros({batch, hidden})}; }
  State operator()(const State& s, Operand x) const;

 private:
  /// What enters the gates' activations, but for the peepholes.
  struct Inputs {
    Tensor i, f, g, o;
  };
  Inputs inputs(const Tensor& h, Operand x) const;
};

}  // namespace rondo
