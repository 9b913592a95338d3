// The output-recurrent net: a cell that remembers what it has said, and nothing else.
#pragma once

#include <string>

#include "frontend/layers/gates.h"
#include "frontend/layers/linear.h"
#include "frontend/scan.h"

namespace rondo {

/// h = f(x wx + o wo + b);  o = h v + c. Recurrence from the output only: less powerful than from h, but with
/// the true outputs known (`teacher_forced`) no step waits for another. Its state is o.
class OutputRnn {
 public:
  using State = HiddenState;
  Param wx, wo, b;
  Linear output;  // v, c
  Activation activation;

  OutputRnn() = default;
  OutputRnn(Model& m, const std::string& name, int64_t in, int64_t hidden, int64_t out, Activation f = tanh,
            Where where = Where::here())
      : wx(m.param(name + ".wx", {in, hidden}, init::glorot(), where)),
        wo(m.param(name + ".wo", {out, hidden}, init::glorot(), where)),
        b(m.param(name + ".b", {hidden}, init::zeros(), where)),
        output(m, name + ".output", hidden, out, true, init::glorot(), init::zeros(), where),
        activation(std::move(f)) {}

  State initial(const Dim& batch) const { return {zeros({batch, wo.shape()[0]})}; }
  State operator()(const State& s, Operand x) const {
    LibraryCall call("output_rnn", x.where());
    return {output(activation(matmul(x, wx) + matmul(s.h, wo) + b))};
  }
};

/// The outputs [T,B,O] of a cell whose state is its output, for xs [T,B,I], where each step reads the true
/// output of the step before from `targets` [T,B,O], in place of its own. All T steps are then one product.
template <RecurrentCell Cell>
requires std::same_as<typename Cell::State, HiddenState> Tensor teacher_forced(const Cell& cell, Operand xs,
                                                                               Operand targets) {
  LibraryCall call("teacher_forced", xs.where());
  struct NoState {};
  const Tensor truth = targets, first = cell.initial(truth.dim(1, targets.where())).h;
  return scan(NoState(), std::pair(xs.tensor(), delayed(truth, first)),
              [&](NoState, const std::pair<Tensor, Tensor>& x) {
                return std::pair(NoState(), cell({x.second}, {x.first, xs.where()}).h);
              })
      .second;
}

}  // namespace rondo
