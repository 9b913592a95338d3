// The programs of a model that writes sequences: training it in three ways, and writing.
#pragma once

#include "frontend/function.h"
#include "frontend/seq2seq/decoder.h"

namespace rondo {

/// What a step reads in training: which symbol is the one before.
enum class Feeding {
  teacher,    // the true one, so that no step waits for another's output
  own,        // the likeliest of the model's own, as in greedy writing
  scheduled,  // a coin for each step and row decides (Bengio et al. 2015)
};

/// The loss of true sequences: the model's inputs and "target" (i32[T,B], ids), output "loss", the mean
/// cross-entropy of all symbols up to each row's first end symbol; what stands after it is ignored. With
/// Feeding::scheduled, the setting "own_rate" is the probability of reading the model's own symbol.
Function loss_function(const SequenceWriter& model, Feeding feeding = Feeding::teacher,
                       Where where = Where::here());

/// Writes N symbols, each drawn and read by the next step, in one native call. Settings: "temperature" (0,
/// its first value, takes the likeliest), "top_k" (the likeliest k only; 0, its first value, for all) and
/// "seed". Outputs: "ids" [N,B], which goes on with end symbols after the first; "lengths" (i32[B], symbols
/// before the end); "score" [B], the log probability of what is written, end included; and with attention its
/// weights, "attention" [N,S,B].
Function write_function(const SequenceWriter& model, Where where = Where::here());

struct BeamOptions {
  int64_t width = 4;        // sequences that are kept at each step
  double length_power = 0;  // first value of the setting
};

/// Beam search: the likeliest K = width sequences of at most N symbols, of all that go on from the K
/// likeliest of one symbol less. They are ranked by log probability / length^p, end included; p is the
/// setting "length_power". Outputs, best first: "ids" [N,B,K], which goes on with end symbols after the
/// first; "lengths" (i32[B,K], symbols before the end); and "scores" [B,K], what they are ranked by. Where
/// fewer than K sequences are possible the rest have a score of -1e30.
Function beam_function(const SequenceWriter& model, const BeamOptions& options = {},
                       Where where = Where::here());

}  // namespace rondo
