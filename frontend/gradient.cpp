#include "frontend/gradient.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "support/error.h"

namespace rondo {
namespace {

using passes::run_pipeline;

constexpr std::string_view kGrad = ",grad,";

/// The passes before and after `grad`.
std::pair<std::string_view, std::string_view> around_grad(std::string_view pipeline) {
  const size_t at = pipeline.find(kGrad);
  if (at == std::string_view::npos)
    throw Error(fmt::format("rondo: pipeline without `,grad,`: {}", pipeline));
  return {pipeline.substr(0, at), pipeline.substr(at + kGrad.size())};
}

/// Under the name of the function in windows.
Function named_for_windows(Function function) {
  function.func.name += ".windows";
  return function;
}

Function differentiate(const Function& function, const GradientOptions& options, std::string_view pipeline) {
  Function result = function;
  const auto at = static_cast<std::ptrdiff_t>(function.output_index(options.loss));
  const Type& type = function.func.type(function.func.results[at]);
  if (type.rank() != 0 || !is_float(type.dtype))
    throw Error(fmt::format("rondo: {}: the loss `{}` is {}, not a scalar", function.func.name, options.loss,
                            ir::to_string(type)));
  std::rotate(result.func.results.begin(), result.func.results.begin() + at,
              result.func.results.begin() + at + 1);
  std::rotate(result.outputs.begin(), result.outputs.begin() + at, result.outputs.begin() + at + 1);
  std::vector<std::string> wrt = options.wrt;
  if (wrt.empty())
    for (const Param& p : function.params) wrt.push_back(p.name());
  for (const std::string& name : wrt) result.outputs.push_back("d_" + name);
  if (wrt.empty()) throw Error(fmt::format("rondo: {} reads no parameter", function.func.name));
  const auto [before, after] = around_grad(pipeline);
  const auto start = std::chrono::steady_clock::now();
  result.func.name = function.func.name + ".forward";
  result.func = run_pipeline(result.func, fmt::format("{},grad{{wrt={}}}", before, fmt::join(wrt, "|")));
  result.func.name = function.func.name + ".gradient";
  result.pass_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.pipeline = after;
  return result;
}

}  // namespace

Function gradient(const Function& traced, const GradientOptions& options) {
  const Function function = bind_training(traced, true);
  Function result = differentiate(function, options, options.pipeline);
  if (options.stash_bytes <= 0) return result;
  const std::string pipeline =
      fmt::format("mask-lengths,simplify,recompute{{window={}}},{}", kLongestWindow, options.pipeline);
  result.in_windows =
      std::make_shared<Function>(differentiate(named_for_windows(function), options, pipeline));
  result.stash_bytes = options.stash_bytes;
  return result;
}

namespace detail {
namespace {

void clip(std::vector<Tensor>& gradients, const UpdateRule& rule) {
  if (rule.clip_value > 0)
    for (Tensor& g : gradients) g = max(min(g, rule.clip_value), -rule.clip_value);
  if (rule.clip_norm <= 0) return;
  Tensor squares = sum(square(gradients[0]));
  for (size_t i = 1; i < gradients.size(); ++i) squares = squares + sum(square(gradients[i]));
  const Tensor norm = sqrt(squares);
  const Tensor scale = select(greater(norm, rule.clip_norm), rule.clip_norm / norm, 1);
  for (Tensor& g : gradients) g = g * scale;
}

/// The slots named prefix.0, prefix.1 ...
std::vector<Tensor> declare_slots(Trace& t, const std::string& prefix, size_t count, const Type& type) {
  std::vector<Tensor> slots;
  for (size_t i = 0; i < count; ++i) slots.push_back(t.slot(fmt::format("{}.{}", prefix, i), type));
  return slots;
}

void update_slots(Trace& t, const std::string& prefix, const std::vector<Tensor>& slots) {
  for (size_t i = 0; i < slots.size(); ++i) t.update(fmt::format("{}.{}", prefix, i), slots[i]);
}

Function with_update(const Function& function, const Function& with_gradient, const UpdateRule& rule) {
  Function training(function.func.name + ".training", function.dtype, [&](Trace& t) {
    const std::vector<Tensor> results = t.call(with_gradient);
    std::map<std::string, Tensor> result;
    for (size_t i = 0; i < results.size(); ++i) result[with_gradient.outputs[i]] = results[i];
    for (const Function::Update& u : function.updates) {
      t.update(u.input, result.at(u.output));
      result.erase(u.output);
    }
    std::vector<Tensor> gradients;
    for (const Param& p : function.params) {
      gradients.push_back(result.at("d_" + p.name()));
      result.erase("d_" + p.name());
    }
    for (const auto& [name, tensor] : result) t.output(name, tensor);

    clip(gradients, rule);
    const Tensor lr = t.setting("lr", rule.lr);
    const std::vector<Tensor> shared =
        rule.advance(declare_slots(t, "optimizer", rule.shared, {function.dtype, {}}));
    update_slots(t, "optimizer", shared);
    for (size_t i = 0; i < gradients.size(); ++i) {
      const Param& p = function.params[i];
      const std::string prefix = "optimizer." + p.name();
      std::vector<Tensor> slots = declare_slots(t, prefix, rule.slots, gradients[i].type());
      const Tensor next = rule.update(p, gradients[i], lr, slots, shared);
      update_slots(t, prefix, slots);
      t.update(p.name(), next);
    }
  });
  training.pipeline = with_gradient.pipeline;
  training.pass_seconds = with_gradient.pass_seconds;
  return training;
}

}  // namespace

Function training_function(const Function& function, const UpdateRule& rule, const GradientOptions& options) {
  const Function with_gradient = gradient(function, options);
  Function training = with_update(function, with_gradient, rule);
  if (!with_gradient.in_windows) return training;
  training.in_windows =
      std::make_shared<Function>(with_update(named_for_windows(function), *with_gradient.in_windows, rule));
  training.stash_bytes = with_gradient.stash_bytes;
  return training;
}

}  // namespace detail
}  // namespace rondo
