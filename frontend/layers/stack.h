// Layers on top of each other, of different kinds and sizes.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "frontend/scan.h"
#include "frontend/state.h"

namespace rondo {

/// Any cell whose state has an output h, without its type.
class Layer {
 public:
  using State = std::vector<Tensor>;

  template <class Cell>
  Layer(const Cell& cell)  // NOLINT: every cell is a layer
      : initial_([cell](const Dim& batch) { return tensors_of(cell.initial(batch)); }),
        step_([cell](const State& state, const Operand& x) {
          const auto next = cell(with_tensors(typename Cell::State{}, state), x);
          return std::pair(tensors_of(next), next.h);
        }) {}

  State initial(const Dim& batch) const { return initial_(batch); }
  /// The next state and the output.
  std::pair<State, Tensor> operator()(const State& state, Operand x) const { return step_(state, x); }

 private:
  std::function<State(const Dim&)> initial_;
  std::function<std::pair<State, Tensor>(const State&, const Operand&)> step_;
};

/// The output of each layer is the input of the next.
class Stack {
 public:
  using State = std::vector<Layer::State>;
  std::vector<Layer> layers;

  State initial(const Dim& batch) const {
    State state;
    for (const Layer& layer : layers) state.push_back(layer.initial(batch));
    return state;
  }

  /// The next state and the output of the last layer.
  std::pair<State, Tensor> operator()(State state, Operand x) const {
    LibraryCall call("stack", x.where());
    Tensor y = x;
    for (size_t i = 0; i < layers.size(); ++i) std::tie(state[i], y) = layers[i](state[i], {y, x.where()});
    return {state, y};
  }
};

}  // namespace rondo
