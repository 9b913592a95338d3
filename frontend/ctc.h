// Connectionist temporal classification: the loss of a sequence of labels whose places in time are not known.
#pragma once

#include "frontend/ops.h"

namespace rondo {

struct CtcOptions {
  int32_t blank = 0;  // the class that stands for no label; no label is this
  /// The loss of a row whose labels do not fit into its steps is infinite, and its gradient 0. With this
  /// option the loss is 0 too: the row does not count.
  bool zero_infinity = false;
};

/// -log p(labels | input) of each row, [B], for logits [T,B,V] of all classes and labels [L,B] (Graves et al.
/// 2006). p is the sum over all alignments: each step emits one class of softmax(logits), and the labels are
/// what is left when repeated classes become one and then blanks go. Row b has steps t < input_lengths[b] and
/// labels l < label_lengths[b], both i32[B]; labels beyond are any classes.
Tensor ctc(Operand logits, Operand labels, Operand input_lengths, Operand label_lengths,
           const CtcOptions& options = {});

}  // namespace rondo
