// The options of the command line that tell what model is measured.
#pragma once

#include <CLI/App.hpp>

#include "tools/bench/models.h"

namespace rondo::bench {

/// The mode stays a word, for parse_mode, whose errors are those of the other options.
void add_model_options(CLI::App& app, Spec& spec, std::string& mode);

}  // namespace rondo::bench
