#include "frontend/import/onnx_activations.h"

#include "frontend/ops.h"

namespace rondo::onnx {
namespace {

const ActivationDef kActivations[] = {
    {"Relu", 0, [](const Tensor& x, double, double) { return relu(x); }},
    {"Tanh", 0, [](const Tensor& x, double, double) { return tanh(x); }},
    {"Sigmoid", 0, [](const Tensor& x, double, double) { return sigmoid(x); }},
    {"Softsign", 0, [](const Tensor& x, double, double) { return x / (1 + abs(x)); }},
    // log(1 + e^x) without overflow
    {"Softplus", 0, [](const Tensor& x, double, double) { return relu(x) + log(1 + exp(-abs(x))); }},
    {"LeakyRelu", 1, [](const Tensor& x, double alpha, double) { return select(less(x, 0), alpha * x, x); },
     0.01},
    {"ThresholdedRelu", 1,
     [](const Tensor& x, double alpha, double) { return select(greater(x, alpha), x, 0); }, 1},
    {"Elu", 1,
     [](const Tensor& x, double alpha, double) {
       return select(less(x, 0), alpha * (exp(min(x, 0)) - 1), x);
     },
     1},
    {"HardSigmoid", 2,
     [](const Tensor& x, double alpha, double beta) { return max(min(alpha * x + beta, 1), 0); }, 0.2, 0.5},
    {"Affine", 2, [](const Tensor& x, double alpha, double beta) { return alpha * x + beta; }},
    {"ScaledTanh", 2, [](const Tensor& x, double alpha, double beta) { return alpha * tanh(beta * x); }},
};

}  // namespace

const ActivationDef* find_activation(std::string_view name) {
  for (const ActivationDef& activation : kActivations)
    if (activation.name == name) return &activation;
  return nullptr;
}

}  // namespace rondo::onnx
