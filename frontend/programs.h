// Many functions from one declaration: a model with `initial(batch)` and `step(state, x)` gives step, run,
// loss and generate.
//
// The state of each survives calls: it streams, or trains by truncated back-propagation through time. Step,
// run and loss name it "state", so that it can move from one program to another.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "frontend/function.h"
#include "frontend/lengths.h"
#include "frontend/sampling.h"

namespace rondo {

/// What a model's step takes, without batch and time: a scalar id by default.
struct StepInput {
  DType dtype = DType::i32;
  Shape shape = {};

  Shape with(std::initializer_list<Dim> lead) const {
    Shape all(lead);
    all.insert(all.end(), shape.begin(), shape.end());
    return all;
  }
};

/// The model's step over a sequence: (final state, ys).
template <class M, class S, class X>
auto run(const M& model, const S& state, const X& xs, const ScanOptions& options = {},
         Where where = Where::here()) {
  return scan(
      state, xs, [&](const S& s, const X& x) { return model.step(s, x); }, options, where);
}

/// What a function of whole sequences takes besides them.
struct SequenceOptions {
  /// An input "lengths", i32[B]: rows end at their own length, from 0 to T, as in ScanOptions. What stands in
  /// x and target beyond does not matter, but that ids are in range. Rows may come in any order; inside they
  /// are sorted.
  bool lengths = false;
};

/// One step: input "x" [B,...], output "y".
template <class M>
Function step_function(const M& model, const StepInput& x, Where where = Where::here()) {
  return Function("step", model, [&](Trace& t) {
    auto state = t.state("state", model.initial("B"));
    auto [next, y] = model.step(state, t.input("x", x.dtype, x.with({"B"})));
    t.keep("state", next, where);
    t.output("y", y, where);
  });
}

namespace detail {

/// The model's ys over the input "x" of a function in the making, which keeps the state. With lengths they
/// are in the order of `rows`.
template <class Y>
struct Traced {
  Y ys;
  std::optional<SortedRows> rows;
};

template <class M>
auto trace_run(Trace& t, const M& model, const StepInput& x, const SequenceOptions& options, Where where) {
  auto state = t.state("state", model.initial("B"));
  const Tensor xs = t.input("x", x.dtype, x.with({"T", "B"}));
  if (!options.lengths) {
    auto [next, ys] = run(model, state, xs, {}, where);
    t.keep("state", next, where);
    return Traced<decltype(ys)>{ys, std::nullopt};
  }
  const SortedRows rows({t.input("lengths", i32, {"B"}), where});
  auto [next, ys] = run(model, rows.sorted(state), rows.sorted_steps(xs), {.lengths = rows.lengths()}, where);
  t.keep("state", rows.restored(next), where);
  return Traced<decltype(ys)>{ys, rows};
}

/// What a loss makes of its arguments; one of the library gets the user's place with them.
template <class Loss, class... Args>
Tensor loss_of(Where where, Loss&& loss, const Args&... args) {
  if constexpr (requires { loss.each(Operand(0), Operand(0)); }) {
    return loss(Operand(args, where)...);
  } else {
    return loss(args...);
  }
}

}  // namespace detail

/// A sequence: input "x" [T,B,...], output "y" [T,B,...].
template <class M>
Function run_function(const M& model, const StepInput& x, const SequenceOptions& options = {},
                      Where where = Where::here()) {
  return Function("run", model, [&](Trace& t) {
    auto [ys, rows] = detail::trace_run(t, model, x, options, where);
    t.output("y", rows ? rows->restored_steps(ys) : ys, where);
  });
}

/// The loss of a sequence: inputs "x" [T,B,...] and "target" [T,B,...], output "loss" = loss(y, target). With
/// lengths it is loss(y, target, mask), where mask, pred[T,B], says what counts.
template <class M, class Loss>
Function loss_function(const M& model, const StepInput& x, const StepInput& target, Loss&& loss,
                       const SequenceOptions& options = {}, Where where = Where::here()) {
  return Function("loss", model, [&](Trace& t) {
    auto [ys, rows] = detail::trace_run(t, model, x, options, where);
    Tensor wanted = t.input("target", target.dtype, target.with({"T", "B"}));
    if (!rows) {
      if constexpr (std::is_invocable_v<Loss&, decltype(ys), Tensor>)
        return t.output("loss", detail::loss_of(where, loss, ys, wanted), where);
      fail("loss_function: without lengths, a loss takes y and target", where);
    }
    const Operand lengths(rows->lengths(), where);
    wanted = rows->sorted_steps(wanted);
    // A mask keeps padding out of the loss; out of gradients it keeps only what is finite.
    if (is_float(target.dtype)) wanted = zero_beyond({wanted, where}, lengths);
    if constexpr (std::is_invocable_v<Loss&, decltype(ys), Tensor, Tensor>)
      return t.output("loss", detail::loss_of(where, loss, ys, wanted, mask_of(lengths, "T")), where);
    fail("loss_function: with lengths, a loss takes y, target and a mask", where);
  });
}

/// A text by a model whose step maps ids to logits. Reads "prime" [P,B], then emits N symbols, "ids" [N,B],
/// each drawn and fed back. Settings: "temperature", "top_k" (the likeliest k only; 0, its first value, for
/// all) and "seed". A next call with P = 0 goes on where this one stopped.
template <class M>
Function generate_function(const M& model) {
  return Function("generate", model, [&](Trace& t) {
    using State = decltype(model.initial("B"));
    struct Writer {
      State state;
      Tensor id;     // drawn, and not yet read by the model
      Tensor count;  // of draws
    };
    const Tensor temperature = t.setting("temperature", 1), seed = t.setting("seed", DType::i32, 0);
    const Tensor k = t.setting("top_k", DType::i32, 0);
    auto read = [&](const State& state, Tensor id, Tensor count) -> Writer {
      auto [next, logits] = model.step(state, id);
      return {next, sample(top_k(logits, k), temperature, seed, count), count + 1};
    };
    const Writer start = t.state("writer", Writer{model.initial("B"), constant(0, Type{DType::i32, {"B"}}),
                                                  constant(0, Type{DType::i32, {}})});
    Writer primed = scan(start, t.input("prime", DType::i32, {"P", "B"}),
                         [&](const Writer& w, Tensor id) { return read(w.state, id, w.count); });
    auto [end, ids] =
        repeat(primed, "N", [&](const Writer& w) { return std::pair(read(w.state, w.id, w.count), w.id); });
    t.keep("writer", end);
    t.output("ids", ids);
  });
}

}  // namespace rondo
