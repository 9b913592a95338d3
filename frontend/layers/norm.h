// Layer normalisation.
#pragma once

#include <string>

#include "frontend/ops.h"

namespace rondo {

struct LayerNormOptions {
  bool bias = true;
  double eps = 1e-5;
};

/// y = gain (x - m) / sqrt(v + eps) + bias, with mean m and variance v of the last axis (Ba et al. 2016).
class LayerNorm {
 public:
  Param gain, bias;
  double eps = 0;

  LayerNorm() = default;
  LayerNorm(Model& m, const std::string& name, int64_t width, const LayerNormOptions& options = {},
            Where where = Where::here())
      : gain(m.param(name + ".gain", {width}, init::constant(1), where)), eps(options.eps) {
    if (options.bias) bias = m.param(name + ".bias", {width}, init::zeros(), where);
  }

  bool is_set() const { return gain.is_set(); }

  Tensor operator()(Operand operand) const {
    LibraryCall call("layer_norm", operand.where());
    const Tensor x = operand, centered = x - expand(mean(x, -1), -1, x.dim(-1));
    const Tensor scale = rsqrt(mean(square(centered), -1) + eps);
    const Tensor y = gain * (centered * expand(scale, -1, x.dim(-1)));
    return bias.is_set() ? y + bias : y;
  }
};

}  // namespace rondo
