// Reading what an ONNX file holds, which may be anything.
#pragma once

#include <string>

#include "frontend/import/onnx_graph.h"

namespace rondo::onnx {

/// The model in a file's bytes. Throws Error, with the path and the place in the file, unless all that the
/// plain data tells is there and well formed.
Model parse_model(const std::string& bytes, const std::string& path);

/// Letters, digits and `_` of a name, `_` for others; and dots, if they are kept. Does not start with a
/// digit.
std::string clean_name(const std::string& name, bool keep_dots = false);

}  // namespace rondo::onnx
