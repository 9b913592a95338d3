// What is random in training: dropout and its family, all drawn from one counter-based stream.
//
// A function that draws has three more inputs, each made at its first use: "training", which gradient and
// training functions set to true, and compile to false, so that evaluation computes nothing of it; the
// setting "random.seed"; and "random.count", the number of calls so far, which lives beside the parameters as
// an optimizer's memory does. What is drawn is a pure function of seed, count, site (each call of a function
// below is one), the step of the scans around it, and the element: a run is reproduced by its seed, and
// resumed from a checkpoint to the bit.
#pragma once

#include "frontend/ops.h"

namespace rondo {

/// pred[]: whether the function trains.
Tensor training(Where where = Where::here());

/// When random numbers are new: at each step of the scans around, or once in a call, for all of its steps.
enum class Draw { each_step, once };

/// Uniform in [0, 1): other numbers at each call of the program. In training or not: `training()` tells.
Tensor draw_uniform(Shape shape, Draw draw = Draw::each_step, Where where = Where::here());

/// 0 with probability `rate`, else 1 / (1 - rate); in evaluation 1. One mask may serve several tensors.
Tensor dropout_mask(Shape shape, double rate, Draw draw = Draw::each_step, Where where = Where::here());

/// x with elements set to 0 with probability `rate` and the rest scaled by 1 / (1 - rate), which keeps the
/// mean; in evaluation x itself (Srivastava et al. 2014). With Draw::once it is variational: all steps have
/// one mask, on recurrent states too (Gal and Ghahramani 2016).
Tensor dropout(Operand x, double rate, Draw draw = Draw::each_step);

/// The state after a step, where each element stays what it was before with probability `rate`; in evaluation
/// the mean of the two (Krueger et al. 2017).
Tensor zoneout(Operand before, Operand after, double rate);

/// ids, each replaced by `unknown` with probability `rate`; in evaluation ids (Bowman et al. 2016).
Tensor word_dropout(Operand ids, double rate, int32_t unknown);

/// rows [...,E] that ids [...] chose from a table of `count` rows: whole rows of the table become 0, once for
/// all occurrences of an id, and the rest is scaled as in dropout (Gal and Ghahramani 2016).
Tensor embedding_dropout(Operand rows, Operand ids, Dim count, double rate);

}  // namespace rondo
