// Both directions of time (Schuster and Paliwal 1997; Graves and Schmidhuber 2005).
#pragma once

#include <string>
#include <utility>

#include "frontend/layers/sequence.h"

namespace rondo {

/// How the outputs of two directions become one.
enum class Merge { concat, sum };

/// A cell that walks forward in time and one that walks backward. y_t is of both at t: it knows the past and
/// the future.
template <RecurrentCell Forward, RecurrentCell Backward = Forward>
class Bidirectional {
 public:
  struct State {
    typename Forward::State forward;
    typename Backward::State backward;
  };
  OverTime<Forward> forward;
  OverTime<Backward> backward;
  Merge merge = Merge::concat;

  Bidirectional() = default;
  /// Any two cells.
  Bidirectional(const Forward& forward, const Backward& backward, Merge merge = Merge::concat)
      : forward{forward}, backward{backward}, merge(merge) {}
  /// Two cells of one kind, `name.forward` and `name.backward`, whose merged output has the size `out`.
  Bidirectional(Model& m, const std::string& name, int64_t in, int64_t out, Merge merge = Merge::concat,
                Where where = Where::here()) requires std::same_as<Forward, Backward> : merge(merge) {
    auto cell = [&](const char* direction) {
      LibraryCall call("bidirectional", where);
      return Forward(m, name + direction, in, size_of_each(out, where));
    };
    forward.cell = cell(".forward");
    backward.cell = cell(".backward");
  }

  State initial(const Dim& batch) const { return {forward.initial(batch), backward.initial(batch)}; }
  /// The final state of a direction is that after its own last step: of the backward one, at the sequence's
  /// start.
  std::pair<State, Tensor> operator()(const State& s, Operand xs, const ScanOptions& options = {}) const {
    LibraryCall call("bidirectional", xs.where());
    ScanOptions opposite = options;
    opposite.reverse = !options.reverse;
    auto [last_forward, ys_forward] = forward(s.forward, xs, options);
    auto [last_backward, ys_backward] = backward(s.backward, xs, opposite);
    const Tensor ys = merge == Merge::sum ? ys_forward + ys_backward : concat({ys_forward, ys_backward}, -1);
    return {{last_forward, last_backward}, ys};
  }

 private:
  int64_t size_of_each(int64_t out, Where where) const {
    if (merge == Merge::sum) return out;
    if (out % 2)
      fail("an output of size " + std::to_string(out) + " is odd: it has no halves to concat", where);
    return out / 2;
  }
};

}  // namespace rondo
