#include "frontend/compile.h"

#include <fmt/format.h>

#include <chrono>

#include "passes/passes.h"
#include "passes/pipeline.h"
#include "support/error.h"

namespace rondo {
namespace {

/// Handles to the parameters the function reads; the program adds the slots.
Weights bind_weights(const Function& function, const Weights& weights) {
  Weights bound;
  for (const Param& p : function.params) {
    const Buffer& buffer = weights.at(p.name());
    if (buffer.dtype() != function.dtype || buffer.shape() != p.shape())
      throw Error(fmt::format("rondo: {}: parameter `{}` is {}, and {} in the weights", function.func.name,
                              p.name(), to_string(function.dtype, p.shape()),
                              to_string(buffer.dtype(), buffer.shape())));
    bound.add(p.name(), buffer);
  }
  return bound;
}

}  // namespace

std::string to_string(const BuildTimes& t) {
  const codegen::CompileTimes& c = t.codegen;
  std::string text = fmt::format("compiled in {:.3f} s: passes {:.3f}", t.total(), t.passes);
  if (!c.from_cache)
    text += fmt::format(", lower {:.3f}, emit {:.3f}, optimize {:.3f}, machine {:.3f}", c.lower, c.emit,
                        c.optimize, c.machine);
  return text + fmt::format(", {} {:.3f}", c.from_cache ? "from the code cache" : "load", c.load);
}

Program compile(const Function& traced, const Weights& weights, const BuildOptions& options) {
  const Function function = bind_training(traced, false);
  const Weights bound = bind_weights(function, weights);
  const auto start = std::chrono::steady_clock::now();
  ir::Func func = options.dims.empty() ? function.func : passes::bind_dims(function.func, options.dims);
  func = passes::run_pipeline(func, function.pipeline, {options.dump_dir});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  codegen::CompileOptions how{function.aliases(func), function.outputs, options.cpu,
                              options.features,       options.dump_dir, {}};
  how.threads = options.threads;
  codegen::CompileTimes times;
  auto executable = codegen::compile(func, how, &times);
  if (options.times) *options.times = {function.pass_seconds + seconds, times};

  Binding binding{{}, function.state};
  for (const Param& p : function.params) binding.weights.push_back(p.name());
  binding.weights.insert(binding.weights.end(), function.slots.begin(), function.slots.end());
  Program program(std::move(executable), bound, std::move(binding));
  for (const auto& [name, value] : function.defaults) program.set_scalar(name, value);
  return program;
}

}  // namespace rondo
