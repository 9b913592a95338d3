#include <memory>

#include <fmt/format.h>

#include "frontend/tune.h"
#include "tools/bench/measure.h"
#include "tools/bench/options.h"
#include "tools/commands.h"

namespace rondo::tools {
namespace {

struct TuneArgs {
  bench::Spec spec;
  std::string mode = "infer";
};

std::string name_of(const std::string& schedule) { return schedule.empty() ? "(model)" : schedule; }

void run_tune(const TuneArgs& args) {
  bench::Spec spec = args.spec;
  spec.mode = bench::parse_mode(args.mode);
  const bench::Built built = bench::build(spec);
  TuneOptions options;
  options.build = bench::build_options(spec);
  if (spec.mode != bench::Mode::stream) options.dims = {{"T", spec.steps}};
  options.fill = [&](Program& program) { bench::fill_inputs(program, spec); };
  const TuneReport report = tune(built.function, built.weights, options);
  for (const TuneReport::Trial& trial : report.trials)
    fmt::print("{:<24} {:>12.1f} us\n", name_of(trial.schedule), trial.seconds * 1e6);
  fmt::print("kept: {}\n", name_of(report.kept));
}

}  // namespace

void add_tune(CLI::App& app) {
  auto args = std::make_shared<TuneArgs>();
  CLI::App* tune = app.add_subcommand(
      "tune",
      "Measures schedules of a model and keeps the fastest in the code cache, for later compilations");
  bench::add_model_options(*tune, args->spec, args->mode);
  tune->add_option("--threads", args->spec.threads, "Of a call")->capture_default_str();
  tune->callback([args] { run_tune(*args); });
}

}  // namespace rondo::tools
