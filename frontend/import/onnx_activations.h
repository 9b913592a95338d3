// The activations of ONNX, which are ops and, by the same names, options of its recurrent ops.
#pragma once

#include <optional>
#include <string_view>

#include "frontend/tensor.h"

namespace rondo::onnx {

struct ActivationDef {
  std::string_view name;
  int constants;  // how many of alpha and beta it has, in this order
  Tensor (*apply)(const Tensor& x, double alpha, double beta);
  std::optional<double> alpha = {}, beta = {};  // where they are not given; nothing: they must be
};

/// Null if there is none of that name.
const ActivationDef* find_activation(std::string_view name);

}  // namespace rondo::onnx
