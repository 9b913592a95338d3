// Import of Neural Amp Modeler's recurrent models (.nam files).
#pragma once

#include <string>

#include "frontend/import/imported.h"

namespace rondo {

/// The functions step (x [B,1] to y [B,1], a sample a row) and run (x [T,B,1] to y [T,B,1]) of a .nam file of
/// the architecture LSTM. States start where the file says, at every reset. `metadata` has "sample_rate" in
/// hertz, where the file tells it, and the texts and numbers of the file's metadata.
///
/// Throws Error, with the place in the file, for what is no such file and for other architectures.
ImportedModel load_nam(const std::string& path);

}  // namespace rondo
