#include <memory>

#include <fmt/format.h>

#include "codegen/target.h"
#include "frontend/library/export.h"
#include "tools/commands.h"
#include "tools/model_file.h"

namespace rondo::tools {
namespace {

struct CompileArgs {
  ModelArgs model;
  std::string weights, weights_in = "library";
  std::vector<std::string> functions, dims;
  LibraryOptions options;
  bool no_selftest = false;
};

/// Where the text does not say which inputs are weights, those are that the file has.
void take_weights(Function& f, const Weights& weights) {
  if (!f.params.empty()) return;
  for (ir::Value p : f.func.params) {
    const auto found = weights.all().find(f.func.value_name(p));
    if (found != weights.all().end())
      f.params.emplace_back(found->first, found->second.shape(), init::zeros(), f.params.size());
  }
}

/// The model's weights, with the values of the file where one is given.
Weights weights_of(const CompileArgs& args, const ImportedModel& model) {
  if (args.weights.empty()) return model.weights;
  const Weights given = Weights::load(args.weights);
  if (model.weights.all().empty()) return given;
  Weights weights = model.weights;
  weights.assign(given);
  return weights;
}

void run_compile(const CompileArgs& args) {
  LibraryOptions options = args.options;
  options.targets = join_features(args.options.targets);
  options.dims = parse_dims(args.dims);
  const ImportedModel model = read_model(args.model, options.dims);
  std::vector<Function> functions = choose_functions(model.functions, args.functions);
  const Weights weights = weights_of(args, model);
  for (Function& f : functions) take_weights(f, weights);
  options.weights = parse_weights_in(args.weights_in);
  options.selftest = !args.no_selftest;
  fmt::print("{}", to_string(export_library(functions, weights, options)));
}

}  // namespace

void add_compile(CLI::App& app) {
  auto args = std::make_shared<CompileArgs>();
  LibraryOptions& o = args->options;
  CLI::App* compile = app.add_subcommand("compile", "Makes a static library of functions, with a C header");
  add_model_options(*compile, args->model);
  compile->add_option("--weights", args->weights,
                      "A safetensors file with the weights, in place of those that the model brings");
  compile->add_option("-o,--output", o.directory, "The folder for the library")->required();
  compile->add_option("--name", o.name, "lib<name>.a, <name>.h")->required();
  compile->add_option("--prefix", o.prefix, "Of the C functions; the name if not given");
  compile
      ->add_option("--target", o.targets,
                   "host, x86-64-v3, aarch64 ..., or triple[:cpu[:features]]; several: levels of x86-64 "
                   "share a library")
      ->delimiter(',');
  compile->add_option("--functions", args->functions, "Some of the model's functions")->delimiter(',');
  compile->add_option("--dims", args->dims, "Named dims to fix: B=1")->delimiter(',');
  compile->add_option("--block", o.block, "Steps that a function walks at a time; fewer take less scratch")
      ->capture_default_str();
  compile->add_option(
      "--weights-in", args->weights_in,
      "Where weights are at a call: library (read-only data), pointer (and a .bin file), array "
      "(and a C array)");
  compile->add_option("--emit", o.emit, "Texts of the stages: ir, llvm, assembly, html")->delimiter(',');
  compile->add_flag("--no-selftest", args->no_selftest, "No <name>_selftest.c");
  compile->callback([args] { run_compile(*args); });
}

}  // namespace rondo::tools
