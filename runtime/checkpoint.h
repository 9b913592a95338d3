// Checkpoints: everything a training run needs to go on as if it had never stopped, in one safetensors file.
#pragma once

#include <map>
#include <string>

#include "runtime/weights.h"

namespace rondo {

/// What a checkpoint holds. The buffers are handles: saving reads them, loading writes into them.
struct Checkpoint {
  /// What tells models with the same tensors apart, as one line: "lstm 2x128, vocabulary 65".
  std::string model;
  Weights weights;  // parameters and the optimizer's buffers
  Weights state;    // recurrent state, as Program::state() gives it
  /// Everything else, as text: updates done, learning rate, vocabulary. UTF-8.
  std::map<std::string, std::string> notes = {};
};

/// Replaces the file wholly or not at all.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// Fills the buffers of `into` and its notes. Throws Error, having changed nothing, for a file that is
/// damaged or of another model: it names the first difference in the model line, in a tensor's name or in its
/// shape.
void load_checkpoint(const std::string& path, Checkpoint& into);

/// The notes and the model line alone, to learn how to build the model. Throws Error for a file that is no
/// checkpoint.
std::map<std::string, std::string> read_checkpoint_notes(const std::string& path,
                                                         std::string* model = nullptr);

}  // namespace rondo
