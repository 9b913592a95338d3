// The subcommands of `rondo`, one file each.
#pragma once

#include <string>

#include <CLI/App.hpp>

#include "ir/func.h"

namespace rondo::tools {

void add_opt(CLI::App& app);
void add_run(CLI::App& app);
void add_compile(CLI::App& app);
void add_bench(CLI::App& app);
void add_tune(CLI::App& app);

/// "T=5" and "B=2" as numbers, of the option --dims.
ir::DimValues parse_dims(const std::vector<std::string>& texts);

/// The function after the pipeline, which may be given by name: "inference" or "training".
ir::Func run_passes(const ir::Func& func, const std::string& pipeline);
/// The function in a .rondo file after the pipeline.
ir::Func read_function(const std::string& path, const std::string& pipeline);

}  // namespace rondo::tools
