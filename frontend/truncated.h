// Truncated back-propagation through time with steps k1 and k2: every k1 steps of a sequence, an update goes
// back through the last k2 (Williams and Peng 1990; Sutskever 2013).
//
// An update sees a window of the last k2 steps: the loss counts the k1 new ones, each step once in all;
// gradients go back to the window's start, where the state is a constant. The state that the program keeps is
// that where the next window starts, which is inside of this one. With k1 = k2, windows are side by side, and
// this is loss_function.
#pragma once

#include <algorithm>

#include "frontend/programs.h"
#include "runtime/program.h"

namespace rondo {

struct TruncatedBptt {
  int64_t every = 1;    // k1
  int64_t through = 1;  // k2, from k1 on

  /// Steps begin to end - 1 of the sequence. The first windows are shorter than k2.
  struct Window {
    int64_t begin = 0, end = 0;
    int64_t advance = 0;  // by which the next window begins later

    int64_t steps() const { return end - begin; }
  };
  /// Of update 0, 1, 2 ... Throws Error unless 1 <= k1 <= k2.
  Window window(int64_t update) const;
  /// Makes the program of a truncated_loss_function ready for the window: T, "counted" and "advance". x and
  /// target are then steps begin to end - 1.
  void prepare(Program& program, const Window& window) const;
};

/// The loss of a window: inputs "x" [T,B,...] and "target" [T,B,...], settings "counted", the number of steps
/// at the end whose loss counts, and "advance", the number of steps after which the state is kept. The loss
/// takes y, target and a mask, pred[T,B].
template <class M, class Loss>
Function truncated_loss_function(const M& model, const StepInput& x, const StepInput& target, Loss&& loss,
                                 Where where = Where::here()) {
  return Function("loss", model, [&](Trace& t) {
    using State = decltype(model.initial("B"));
    struct Moving {
      State now, kept;
    };
    struct Step {
      Tensor x, t;
    };
    const Tensor counted = t.setting("counted", i32, 0), advance = t.setting("advance", i32, 0);
    const State start = t.state("state", model.initial("B"));
    const Tensor steps = iota({"T"}, 0);
    auto step = [&](const Moving& s, const Step& at) {
      auto [next, y] = model.step(s.now, at.x);
      std::vector<Tensor> kept = tensors_of(s.kept);
      const std::vector<Tensor> after = tensors_of(next);
      for (size_t i = 0; i < kept.size(); ++i) kept[i] = select(less(at.t, advance), after[i], kept[i]);
      return std::pair(Moving{next, with_tensors(s.kept, kept)}, y);
    };
    auto [last, y] =
        scan(Moving{start, start}, Step{t.input("x", x.dtype, x.with({"T", "B"})), steps}, step, {}, where);
    t.keep("state", last.kept, where);
    const Tensor length = cast(size("T"), i32);
    const Tensor mask = expand(less(length - counted - 1, steps), -1, "B");
    const Tensor wanted = t.input("target", target.dtype, target.with({"T", "B"}));
    t.output("loss", detail::loss_of(where, loss, y, wanted, mask), where);
  });
}

}  // namespace rondo
