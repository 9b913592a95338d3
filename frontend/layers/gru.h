// The gated recurrent unit (Cho et al. 2014).
#pragma once

#include <string>

#include "frontend/layers/gates.h"

namespace rondo {

struct GruOptions {
  CellOptions gates = {};  // layer_norm: where the reset is after the product
  struct Activations {
    Activation r = sigmoid, z = sigmoid, n = tanh;
  } activations = {};
};

/// r, z = sigmoid of x wx + h wh + b;  h = z h + (1 - z) n, where
///   n = tanh(x wxn + (r h) whn + bn), reset before the product (Cho et al. 2014), or
///   n = tanh(x wxn + bn + r (h whn + bhn)), reset after it (cuDNN, PyTorch). Gates r, z, n.
class Gru : public Gates {
 public:
  using State = HiddenState;
  enum class Reset { before, after };
  Reset reset = Reset::before;
  GruOptions::Activations activations;

  Gru() = default;
  Gru(Model& m, const std::string& name, int64_t in, int64_t hidden, Reset reset = Reset::before,
      const GruOptions& options = {}, Where where = Where::here());

  State initial(const Dim& batch) const { return {zeros({batch, hidden})}; }
  State operator()(const State& s, Operand x) const;
};

}  // namespace rondo
