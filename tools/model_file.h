// What `rondo run` and `rondo compile` take: a model file of any kind, and what its import is told.
#pragma once

#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "frontend/import/load_model.h"

namespace rondo::tools {

struct ModelArgs {
  std::string file;
  std::vector<std::string> values, state;
};

/// The file as the positional argument, and the options of ONNX models.
void add_model_options(CLI::App& command, ModelArgs& args);

/// Whether the file is another program's, not text.
bool is_imported(const ModelArgs& args);

/// The model. One of ONNX takes the dims, which are fixed in it then: none are left.
ImportedModel read_model(const ModelArgs& args, ir::DimValues& dims);

}  // namespace rondo::tools
