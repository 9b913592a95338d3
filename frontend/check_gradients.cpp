#include "frontend/check_gradients.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "frontend/arrays.h"
#include "frontend/gradient.h"
#include "frontend/init.h"
#include "ir/arrays.h"
#include "ir/evaluator.h"
#include "passes/passes.h"
#include "support/error.h"

namespace rondo {
namespace {

using Inputs = std::map<std::string, ir::Array>;

Inputs make_inputs(const Function& function, const Weights& weights, const GradientCheckOptions& options) {
  const ir::Func& func = function.func;
  for (const std::string& name : ir::named_dims(func))
    if (!options.dims.contains(name))
      throw Error(
          fmt::format("rondo: check_gradients: {} has the dim {}, which no option gives", func.name, name));
  const auto random =
      ir::random_inputs(func, options.dims, options.seed, ir::ids_in_range(func, options.dims));
  Inputs inputs;
  for (size_t i = 0; i < random.size(); ++i) inputs[func.value_name(func.params[i])] = random[i];
  for (const Param& p : function.params) inputs[p.name()] = array_of(weights.at(p.name()));
  for (const auto& [name, value] : function.defaults) inputs[name].data = {value};
  if (inputs.contains("random.seed"))
    inputs["random.seed"].data = {static_cast<double>(options.seed)}, inputs["random.count"].data = {0};
  for (const auto& [name, values] : options.inputs) {
    const auto known = inputs.find(name);
    if (known == inputs.end())
      throw Error(fmt::format("rondo: check_gradients: {} has no input {}", func.name, name));
    if (known->second.data.size() != values.size())
      throw Error(fmt::format("rondo: check_gradients: {} values for {}, which is {}", values.size(), name,
                              to_string(known->second.dtype, known->second.shape)));
    known->second.data = values;
  }
  return inputs;
}

std::vector<ir::Array> evaluate(const ir::Func& func, const Inputs& inputs, const ir::DimValues& dims) {
  std::vector<const ir::Array*> in;
  for (ir::Value p : func.params) in.push_back(&inputs.at(func.value_name(p)));
  return ir::evaluate(func, std::span<const ir::Array* const>(in), dims);
}

/// All indices below count, or so many of them, chosen at random; in order.
std::vector<int64_t> choose(int64_t count, int64_t wanted, Random& random) {
  std::vector<int64_t> all(count);
  std::iota(all.begin(), all.end(), 0);
  if (wanted >= count) return all;
  for (int64_t i = 0; i < wanted; ++i) std::swap(all[i], all[i + random.bits() % (count - i)]);
  all.resize(wanted);
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<int64_t> position(int64_t index, const std::vector<int64_t>& shape) {
  std::vector<int64_t> at(shape.size());
  for (size_t i = shape.size(); i-- > 0; index /= shape[i]) at[i] = index % shape[i];
  return at;
}

/// The loss of a function as a function of its inputs.
class Loss {
 public:
  Loss(const Function& function, Inputs inputs, const GradientCheckOptions& options)
      : func_(function.func), inputs_(std::move(inputs)), options_(options) {
    func_.results = {func_.results[function.output_index(options.loss)]};
    func_ = passes::simplify(func_);
  }

  double value() const { return evaluate(func_, inputs_, options_.dims)[0].data[0]; }

  double difference(double& element) const {
    const double before = element;
    element = before + options_.step;
    const double above = value();
    element = before - options_.step;
    const double below = value();
    element = before;
    return (above - below) / (2 * options_.step);
  }

  GradientCheck::Row check(const std::string& name, const ir::Array& gradient, Random& random) {
    GradientCheck::Row row;
    row.name = name;
    ir::Array& array = inputs_.at(name);
    const double resolved = 1e-4 * std::max(1.0, std::abs(value()));
    for (int64_t i : choose(array.count(), options_.elements, random)) {
      const double g = gradient.data[i], d = difference(array.data[i]);
      double error = std::abs(g - d) / std::max({std::abs(g), std::abs(d), resolved});
      if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
      if (row.checked++ == 0 || error > row.error)
        row.at = position(i, array.shape), row.gradient = g, row.difference = d, row.error = error;
    }
    return row;
  }

 private:
  ir::Func func_;
  Inputs inputs_;
  const GradientCheckOptions& options_;
};

}  // namespace

GradientCheck check_gradients(const Function& traced, const Weights& weights,
                              const GradientCheckOptions& options) {
  const Function function = bind_training(traced, true);
  const Function derived = gradient(function, {.loss = options.loss, .wrt = options.wrt});
  const Inputs inputs = make_inputs(function, weights, options);
  const std::vector<ir::Array> results = evaluate(derived.func, inputs, options.dims);
  Loss loss(function, inputs, options);
  GradientCheck check{.rows = {}, .loss = loss.value(), .tolerance = options.tolerance};
  Random random(options.seed);
  for (size_t i = 0; i < results.size(); ++i)
    if (derived.outputs[i].starts_with("d_"))
      check.rows.push_back(loss.check(derived.outputs[i].substr(2), results[i], random));
  std::stable_sort(check.rows.begin(), check.rows.end(),
                   [](const auto& a, const auto& b) { return a.error > b.error; });
  return check;
}

std::string to_string(const GradientCheck& check) {
  auto element = [](const GradientCheck::Row& r) {
    return fmt::format("{}[{}]", r.name, fmt::join(r.at, ","));
  };
  const GradientCheck::Row& worst = check.worst();
  std::string text =
      check.passed()
          ? fmt::format("gradients agree with central differences to {:.1e}\n", worst.error)
          : fmt::format(
                "WRONG GRADIENT: d loss / d {} is {:.6g} by the gradient and {:.6g} by central differences\n",
                element(worst), worst.gradient, worst.difference);
  size_t width = 13;
  for (const auto& r : check.rows) width = std::max(width, element(r).size());
  text += fmt::format("{:{}}  {:>7}  {:>13}  {:>13}  {:>8}\n", "worst element", width, "checked", "gradient",
                      "difference", "error");
  for (const auto& r : check.rows)
    text += fmt::format("{:{}}  {:>7}  {:>13.6g}  {:>13.6g}  {:>8.1e}{}\n", element(r), width, r.checked,
                        r.gradient, r.difference, r.error, r.error <= check.tolerance ? "" : "  <-");
  return text;
}

}  // namespace rondo
