// Model files of all kinds, by the ends of their names.
#pragma once

#include <string>

#include "frontend/import/onnx.h"

namespace rondo {

/// .onnx (load_onnx), .nam (load_nam), .json (load_rtneural); others are texts of functions, without weights
/// (parse_functions). Throws Error for options where the file is no ONNX model.
ImportedModel load_model(const std::string& path, const OnnxOptions& options = {});

}  // namespace rondo
