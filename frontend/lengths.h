// Rows of different lengths in one batch: masks, pooling over time, and rows in the order of their lengths.
//
// `scan` takes the lengths themselves (ScanOptions): what is here is for what stands around it.
#pragma once

#include "frontend/ops.h"
#include "frontend/scan.h"

namespace rondo {

/// The lengths as they are, each from 0 to the number of steps: those of an input are checked before the
/// call.
Tensor check_lengths(Operand lengths, const Dim& steps);

/// pred[T,B]: whether step t is one of row b's, for lengths i32[B] from 0 to T.
Tensor mask_of(Operand lengths, const Dim& steps);

/// xs [T,B,...] with zeros beyond each row's length, whatever stood there.
Tensor zero_beyond(Operand xs, Operand lengths);

/// The mean of xs [T,B,...] over each row's steps, [B,...]; 0 for a row without steps.
Tensor mean_over_time(Operand xs, Operand lengths);

/// The largest of xs [T,B,...] over each row's steps, [B,...]; 0 for a row without steps.
Tensor max_over_time(Operand xs, Operand lengths);

/// The rows of a batch by falling length, so that those which take part in a step are the first ones,
/// together. Rows of one length keep their order.
class SortedRows {
 public:
  /// lengths: i32[B].
  explicit SortedRows(Operand lengths);
  /// i32[B], falling.
  const Tensor& lengths() const { return lengths_; }

  /// A tensor or struct of tensors [B,...], as a state is, into this order, and back.
  template <class S>
  S sorted(const S& s) const {
    return chosen(s, order_);
  }
  template <class S>
  S restored(const S& s) const {
    return chosen(s, rank_);
  }
  /// Of tensors [T,B,...]: each step.
  template <class X>
  X sorted_steps(const X& xs) const {
    return chosen_steps(xs, order_);
  }
  template <class X>
  X restored_steps(const X& xs) const {
    return chosen_steps(xs, rank_);
  }

 private:
  struct Nothing {};

  template <class S>
  S chosen(S s, const Tensor& rows) const {
    for_each_tensor(s, [&](Tensor& t) { t = gather({t, where_}, {rows, where_}); });
    return s;
  }
  template <class X>
  X chosen_steps(const X& xs, const Tensor& rows) const {
    auto step = [&](Nothing nothing, const X& x) { return std::pair(nothing, chosen(x, rows)); };
    return scan(Nothing(), xs, step, {}, where_).second;
  }

  Where where_;
  Tensor order_, rank_;  // i32[B]: which row stands at a place, and the place of a row
  Tensor lengths_;
};

}  // namespace rondo
