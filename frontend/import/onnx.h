// Import of ONNX models.
#pragma once

#include <map>
#include <string>

#include "frontend/import/imported.h"
#include "ir/type.h"

namespace rondo {

struct OnnxOptions {
  /// Named dims as numbers. Axis 1 of an input x has the name that the file gives, or else x_1.
  ir::DimValues dims = {};
  /// Inputs that are constants, by name: every element has this value. {"sr", 16000} decides an If on it.
  std::map<std::string, double> values = {};
  /// Inputs that live in the program, zero at first, and the outputs which they become when a call ends.
  std::map<std::string, std::string> state = {};
};

/// The function run of an ONNX file of opset 7 or later: its inputs and outputs are the graph's, in order;
/// its weights, under the names of the file, are the constants that it uses. Matrix i of a weight w whose
/// transpose enters products is w_T<i>, transposed, or w_T if it is the only one. Names have `_` where C allows
/// no character. Integers are i32, float16 is not supported. What depends on constants only is computed here.
///
/// Throws Error with the file, the number of the node in its graph, its op and its name, for what is
/// malformed or not supported, down to single attributes; and where Rondo was built without protobuf.
ImportedModel load_onnx(const std::string& path, const OnnxOptions& options = {});

}  // namespace rondo
