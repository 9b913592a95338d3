#include "frontend/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "codegen/stash_budget.h"
#include "ir/work.h"
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

/// The inputs that are parameters. Throws Error for a function that updates one.
std::vector<uint32_t> frozen_inputs(const Function& function, const ir::Func& func) {
  std::vector<uint32_t> frozen;
  for (uint32_t i = 0; i < func.params.size(); ++i)
    if (std::ranges::count(function.params, func.value_name(func.params[i]), &Param::name) > 0)
      frozen.push_back(i);
  for (const Signature::Alias& a : function.aliases(func))
    if (std::ranges::count(frozen, a.input) > 0)
      throw Error(fmt::format("rondo: {}: frozen, but it updates its weight `{}`", func.name,
                              func.value_name(func.params[a.input])));
  return frozen;
}

}  // namespace

codegen::CompileOptions code_options(const Function& function, const ir::Func& func,
                                     const BuildOptions& options) {
  codegen::CompileOptions how{function.aliases(func), function.outputs, options.cpu,
                              options.features,       options.dump_dir, {}};
  how.threads = options.threads;
  if (options.frozen) how.constants = frozen_inputs(function, func);
  how.schedule = options.schedule;
  how.keep_schedule = options.keep_schedule;
  return how;
}

Binding binding_of(const Function& function) {
  Binding binding{{}, function.state};
  for (const Param& p : function.params) binding.weights.push_back(p.name());
  binding.weights.insert(binding.weights.end(), function.slots.begin(), function.slots.end());
  return binding;
}

namespace {

struct Built {
  std::shared_ptr<const Executable> executable;
  ir::Poly work;  // multiply-adds
};

Built build(const Function& function, const BuildOptions& options, BuildTimes& times) {
  const auto start = std::chrono::steady_clock::now();
  ir::Func func = options.dims.empty() ? function.func : passes::bind_dims(function.func, options.dims);
  func = passes::run_pipeline(func, function.pipeline, {options.dump_dir});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  times.passes += function.pass_seconds + took.count();
  return {codegen::compile(func, code_options(function, func, options), &times.codegen),
          ir::multiply_adds(func)};
}

void collect_window_steps(const ir::Func& func, std::vector<std::string>& names) {
  for (const ir::Op& op : func.ops) {
    if (!op.body) continue;
    if (op.attrs.window.is_named() && op.attrs.dim.is_named()) names.push_back(op.attrs.dim.name());
    collect_window_steps(*op.body, names);
  }
}

/// The function in windows as well, for calls whose stash takes too much.
std::shared_ptr<const Executable> within_budget(const Function& function, const Built& whole,
                                                const BuildOptions& options, BuildTimes& times) {
  const bool whole_from_cache = times.codegen.from_cache;
  const Built windows = build(*function.in_windows, options, times);
  times.codegen.from_cache = times.codegen.from_cache && whole_from_cache;
  codegen::StashBudget budget{
      whole.executable, windows.executable, std::string(kLongestWindow), {}, function.stash_bytes,
      whole.work,       windows.work};
  collect_window_steps(function.in_windows->func, budget.steps);
  if (budget.steps.empty())
    throw Error(
        fmt::format("rondo: {}: stash_bytes are of a scan over a named number of steps, there is none",
                    function.func.name));
  for (const std::string& steps : budget.steps)
    if (options.dims.contains(steps))
      throw Error(fmt::format("rondo: {}: stash_bytes choose by {}, which dims binds to {}",
                              function.func.name, steps, options.dims.at(steps)));
  return codegen::within_budget(std::move(budget));
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
  BuildTimes times;
  const Built whole = build(function, options, times);
  auto executable = function.in_windows ? within_budget(function, whole, options, times) : whole.executable;
  if (options.times) *options.times = times;

  Program program(std::move(executable), bound, binding_of(function));
  for (const auto& [name, value] : function.defaults) program.set_scalar(name, value);
  return program;
}

}  // namespace rondo
