#include "tools/bench/options.h"

#include <CLI/CLI.hpp>

#include <fmt/ranges.h>

namespace rondo::bench {

void add_model_options(CLI::App& app, Spec& spec, std::string& mode) {
  app.add_option("--cell", spec.cell, fmt::format("{}", fmt::join(cell_names(), ", ")))
      ->capture_default_str();
  app.add_option("--mode", mode,
                 "stream: a step a call; infer: a sequence; train: forward, backward, all gradients")
      ->capture_default_str();
  app.add_option("--layers", spec.layers)->capture_default_str();
  app.add_option("--input", spec.input, "Input size (default: as hidden)");
  app.add_option("--hidden", spec.hidden)->capture_default_str();
  app.add_option("--batch", spec.batch)->capture_default_str();
  app.add_option("--steps", spec.steps, "Of a sequence")->capture_default_str();
  app.add_option("--vocabulary", spec.vocabulary,
                 "A language model over so many symbols; its training is a whole update");
  app.add_option("--optimizer", spec.optimizer, "Of an update: adam or sgd")->capture_default_str();
}

}  // namespace rondo::bench
