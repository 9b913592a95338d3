// Import of the JSON files that RTNeural reads.
#pragma once

#include <string>

#include "frontend/import/imported.h"

namespace rondo {

/// The functions step (x [B,in] to y [B,out]) and run (x [T,B,in] to y [T,B,out]) of a JSON file of either
/// kind:
///
///   * layers of Keras in order, as RTNeural's exporter writes them: dense and time-distributed-dense, lstm,
///     gru (reset after), conv1d (causal: what came before the start is zero), activation, prelu, batchnorm.
///     A recurrent layer's activation is tanh, also where it is left empty, as RTNeural has it. `metadata`
///     has the texts beside the layers.
///   * a PyTorch state_dict: modules LSTM, GRU and Linear, each fed by the one before it in the file.
///
/// Throws Error, with the place in the file, for what is malformed or not known.
ImportedModel load_rtneural(const std::string& path);

}  // namespace rondo
