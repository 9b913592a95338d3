// Layers over whole sequences, and stacks of them: what sees the future, as a bidirectional layer does, has
// no single step.
//
// A sequence layer has a State; `initial(batch)`; and a call that takes the state, xs [T,B,...] and the
// options of its scans, and gives the final state and ys [T,B,...].
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "frontend/layers/stack.h"
#include "frontend/lengths.h"
#include "frontend/scan.h"

namespace rondo {

template <class L>
concept TypedSequenceLayer = requires(const L& layer, const typename L::State& s, const Dim& batch,
                                      Tensor xs) {
  { layer.initial(batch) } -> std::same_as<typename L::State>;
  { layer(s, xs, ScanOptions()) } -> std::same_as<std::pair<typename L::State, Tensor>>;
};

/// A cell over a sequence: ys are its outputs.
template <RecurrentCell Cell>
struct OverTime {
  using State = typename Cell::State;
  Cell cell;

  State initial(const Dim& batch) const { return cell.initial(batch); }
  std::pair<State, Tensor> operator()(const State& state, Operand xs, const ScanOptions& options = {}) const {
    auto step = [&](const State& s, Tensor x) {
      const State next = cell(s, {x, xs.where()});
      return std::pair(next, Tensor(next.h));
    };
    return scan(state, xs.tensor(), step, options, xs.where());
  }
};

/// Any sequence layer, without its type. A cell is one, and so is a layer without state.
class SequenceLayer {
 public:
  using State = std::vector<Tensor>;

  template <class L>
  requires(!std::same_as<L, SequenceLayer> && TypedSequenceLayer<L>)
      SequenceLayer(const L& layer)  // NOLINT: every sequence layer is one
      : initial_([layer](const Dim& batch) { return tensors_of(layer.initial(batch)); }),
        run_([layer](const State& state, const Operand& xs, const ScanOptions& options) {
          auto [last, ys] = layer(struct_of<typename L::State>(state, xs.where()), xs, options);
          return std::pair(tensors_of(last), ys);
        }) {}
  template <RecurrentCell Cell>
  SequenceLayer(const Cell& cell) : SequenceLayer(OverTime<Cell>{cell}) {}  // NOLINT
  template <TimelessLayer F>
  requires(!TypedSequenceLayer<F>) SequenceLayer(const F& f)  // NOLINT
      : initial_([](const Dim&) { return State(); }),
        run_([f](const State&, const Operand& xs, const ScanOptions&) {
          return std::pair(State(), Tensor(f(xs)));
        }) {}
  template <class L>
  SequenceLayer(const Residual<L>& residual) : SequenceLayer(residual.layer) {  // NOLINT
    run_ = [run = run_](const State& state, const Operand& xs, const ScanOptions& options) {
      LibraryCall call("residual", xs.where());
      auto [last, ys] = run(state, xs, options);
      return std::pair(last, xs + ys);
    };
  }

  State initial(const Dim& batch) const { return initial_(batch); }
  /// The final state and ys.
  std::pair<State, Tensor> operator()(const State& state, Operand xs, const ScanOptions& options = {}) const {
    return run_(state, xs, options);
  }

 private:
  std::function<State(const Dim& batch)> initial_;
  std::function<std::pair<State, Tensor>(const State&, const Operand& xs, const ScanOptions&)> run_;
};

/// Deep: the ys of each layer are the xs of the next.
class SequenceStack {
 public:
  using State = std::vector<SequenceLayer::State>;
  std::vector<SequenceLayer> layers;

  State initial(const Dim& batch) const {
    State state;
    for (const SequenceLayer& layer : layers) state.push_back(layer.initial(batch));
    return state;
  }

  /// The final states and the ys of the last layer. With lengths, rows may come in any order; inside they are
  /// sorted, so that the cost follows the sum of the lengths. What stands in xs beyond a row's length does
  /// not matter.
  std::pair<State, Tensor> operator()(const State& state, Operand xs, ScanOptions options = {}) const {
    LibraryCall call("stack", xs.where());
    check_states(state.size(), layers.size(), xs.where());
    if (!options.lengths) return through_layers(state, xs, options);
    const SortedRows rows({*options.lengths, xs.where()});
    options.lengths = rows.lengths();
    Tensor sorted = rows.sorted_steps(xs.tensor());
    if (sorted.dtype() != i32) sorted = zero_beyond({sorted, xs.where()}, {rows.lengths(), xs.where()});
    auto [last, ys] = through_layers(rows.sorted(state), {sorted, xs.where()}, options);
    return {rows.restored(last), rows.restored_steps(ys)};
  }

 private:
  std::pair<State, Tensor> through_layers(State state, Operand xs, const ScanOptions& options) const {
    Tensor ys = xs;
    for (size_t i = 0; i < layers.size(); ++i)
      std::tie(state[i], ys) = layers[i](state[i], {ys, xs.where()}, options);
    return {state, ys};
  }
};

/// A sequence layer for xs and ys whose batch is the first dim and time the second: [B,T,...].
template <TypedSequenceLayer L>
struct BatchFirst {
  using State = typename L::State;
  L layer;

  State initial(const Dim& batch) const { return layer.initial(batch); }
  std::pair<State, Tensor> operator()(const State& state, Operand xs, const ScanOptions& options = {}) const {
    LibraryCall call("batch_first", xs.where());
    auto [last, ys] = layer(state, {swap_batch_and_time(xs), xs.where()}, options);
    return {last, swap_batch_and_time({ys, xs.where()})};
  }
};

}  // namespace rondo
