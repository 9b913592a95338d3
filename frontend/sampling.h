// Drawing symbols from logits: by temperature, among the likeliest k.
#pragma once

#include "frontend/ops.h"

namespace rondo {

/// Draws from softmax(logits / temperature) by the Gumbel-max trick; the largest at temperature 0. logits
/// [...,V]; seed, count: i32[]. The result is i32[...].
Tensor sample(Operand logits, Operand temperature, Operand seed, Operand count);

/// The logits [...,V], with all but the k largest of each row at -1e30, where nothing draws them. k: i32[],
/// at most V; 0 stands for V. Of symbols at the border, those stay whose probabilities differ by less than
/// 2^-31 of the largest.
Tensor top_k(Operand logits, Operand k);

}  // namespace rondo
