// Layers on top of each other, of different kinds and sizes, step by step.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "frontend/layers/gates.h"
#include "frontend/state.h"

namespace rondo {

/// What has no state: Linear, Embedding, LayerNorm, or a function of one's own.
template <class F>
concept TimelessLayer = std::is_invocable_r_v<Tensor, const F&, Operand>;

/// In a list of layers: the layer's output plus its input (He et al. 2016).
template <class L>
struct Residual {
  L layer;
  explicit Residual(const L& layer) : layer(layer) {}
};

/// One step of any layer, without the layer's type: of a cell, whose output is its h, or of a layer without
/// state.
class Layer {
 public:
  using State = std::vector<Tensor>;

  template <RecurrentCell Cell>
  Layer(const Cell& cell)  // NOLINT: every cell is a layer
      : initial_([cell](const Dim& batch) { return tensors_of(cell.initial(batch)); }),
        step_([cell](const State& state, const Operand& x) {
          const auto next = cell(struct_of<typename Cell::State>(state, x.where()), x);
          return std::pair(tensors_of(next), next.h);
        }) {}
  template <TimelessLayer F>
  Layer(const F& f)  // NOLINT
      : initial_([](const Dim&) { return State(); }),
        step_([f](const State&, const Operand& x) { return std::pair(State(), Tensor(f(x))); }) {}
  template <class L>
  Layer(const Residual<L>& residual) : Layer(residual.layer) {  // NOLINT
    step_ = [step = step_](const State& state, const Operand& x) {
      LibraryCall call("residual", x.where());
      auto [next, y] = step(state, x);
      return std::pair(next, x + y);
    };
  }

  State initial(const Dim& batch) const { return initial_(batch); }
  /// The next state and the output.
  std::pair<State, Tensor> operator()(const State& state, Operand x) const { return step_(state, x); }

 private:
  std::function<State(const Dim& batch)> initial_;
  std::function<std::pair<State, Tensor>(const State&, const Operand& x)> step_;
};

/// Throws Error unless there is a state for each layer.
inline void check_states(size_t states, size_t layers, Where where) {
  if (states != layers)
    fail("states of " + std::to_string(states) + " layers are given for " + std::to_string(layers), where);
}

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
    check_states(state.size(), layers.size(), x.where());
    Tensor y = x;
    for (size_t i = 0; i < layers.size(); ++i) std::tie(state[i], y) = layers[i](state[i], {y, x.where()});
    return {state, y};
  }
};

}  // namespace rondo
