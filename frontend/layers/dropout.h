// Dropout between layers, and cells with noise in their recurrence.
#pragma once

#include <utility>

#include "frontend/layers/gates.h"
#include "frontend/random.h"
#include "frontend/scan.h"

namespace rondo {

/// Among the layers of a stack: `dropout` of what comes from the layer below. With Draw::once it is
/// variational: all steps have one mask (Gal and Ghahramani 2016).
struct Dropout {
  double rate = 0;
  Draw draw = Draw::each_step;

  /// Of one step.
  Tensor operator()(Operand x) const { return dropout(x, rate, draw); }

  /// Of a sequence [T,B,...].
  struct State {};
  State initial(const Dim&) const { return {}; }
  std::pair<State, Tensor> operator()(const State&, Operand xs, const ScanOptions&) const {
    if (draw == Draw::each_step) return {{}, dropout(xs, rate)};
    const Shape shape = xs.tensor().shape();
    return {{}, xs * dropout_mask({shape.begin() + 1, shape.end()}, rate, draw, xs.where())};
  }
};

/// A cell that sees its last output h dropped, with one mask for all steps (Gal and Ghahramani 2016).
template <RecurrentCell Cell>
struct RecurrentDropout {
  using State = typename Cell::State;
  Cell cell;
  double rate = 0;

  State initial(const Dim& batch) const { return cell.initial(batch); }
  State operator()(State s, Operand x) const {
    LibraryCall call("recurrent_dropout", x.where());
    s.h = dropout({s.h, x.where()}, rate, Draw::once);
    return cell(s, x);
  }
};

/// A cell whose state keeps some of its elements from step to step: those of h with the probability `h`,
/// those of the rest, an LSTM's c, with the probability `memory` (Krueger et al. 2017, whose rates these
/// are).
template <RecurrentCell Cell>
struct Zoneout {
  using State = typename Cell::State;
  Cell cell;
  double h = 0.05, memory = 0.5;

  State initial(const Dim& batch) const { return cell.initial(batch); }
  State operator()(const State& s, Operand x) const {
    LibraryCall call("zoneout", x.where());
    const State next = cell(s, x);
    const std::vector<Tensor> before = tensors_of(s);
    std::vector<Tensor> after = tensors_of(next);
    for (size_t i = 0; i < after.size(); ++i)
      after[i] = zoneout({before[i], x.where()}, {after[i], x.where()}, memory);
    State zoned = with_tensors(next, after);
    zoned.h = zoneout({s.h, x.where()}, {next.h, x.where()}, h);
    return zoned;
  }
};

}  // namespace rondo
