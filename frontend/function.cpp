#include "frontend/function.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "frontend/region.h"
#include "passes/passes.h"
#include "support/error.h"

namespace rondo {
namespace {

// The inputs of functions that draw random numbers.
const std::string kTrainingInput = "training", kSeed = "random.seed", kCount = "random.count";

/// The function with inputs of these names as numbers.
Function with_numbers(Function function, const std::map<std::string, double>& numbers) {
  const ir::Func from = std::move(function.func);
  ir::Builder b(from.name);
  std::vector<ir::Value> args;
  for (ir::Value p : from.params) {
    const auto number = numbers.find(from.value_name(p));
    args.push_back(number == numbers.end() ? b.param(from.type(p), from.value_name(p))
                                           : b.constant(from.type(p), number->second));
  }
  std::vector<ir::Value> results = b.inline_func(from, args);
  function.func = passes::simplify(std::move(b).finish(std::move(results)));
  std::erase_if(function.slots, [&](const std::string& name) { return numbers.contains(name); });
  std::erase_if(function.defaults, [&](const auto& entry) { return numbers.contains(entry.first); });
  return function;
}

/// The function without the advance of its count.
Function without_count(Function function) {
  const auto update = std::find_if(function.updates.begin(), function.updates.end(),
                                   [](const Function::Update& u) { return u.input == kCount; });
  const auto at = static_cast<std::ptrdiff_t>(function.output_index(update->output));
  function.func.results.erase(function.func.results.begin() + at);
  function.outputs.erase(function.outputs.begin() + at);
  function.updates.erase(update);
  return function;
}

bool has_input(const ir::Func& func, const std::string& name) {
  return std::any_of(func.params.begin(), func.params.end(),
                     [&](ir::Value p) { return func.value_name(p) == name; });
}

bool reads_input(const ir::Func& func, const std::string& name) {
  const std::vector<uint32_t> uses = ir::use_counts(func);
  return std::any_of(func.params.begin(), func.params.end(),
                     [&](ir::Value p) { return func.value_name(p) == name && uses[p.id] > 0; });
}

}  // namespace

Function::Function(std::string name, const Model& model, const std::function<void(Trace&)>& body)
    : Function(std::move(name), model.dtype(), body) {}

Function::Function(std::string name, DType dtype, const std::function<void(Trace&)>& body) : dtype(dtype) {
  Region region(std::move(name), dtype);
  Trace trace(*this, region);
  body(trace);
  trace.finish();
}

size_t Function::output_index(const std::string& output) const {
  auto it = std::find(outputs.begin(), outputs.end(), output);
  if (it == outputs.end())
    throw Error(fmt::format("rondo: {} has no output `{}`; outputs: {}", func.name, output,
                            fmt::join(outputs, ", ")));
  return static_cast<size_t>(it - outputs.begin());
}

std::vector<Signature::Alias> Function::aliases(const ir::Func& compiled) const {
  std::vector<Signature::Alias> aliases;
  for (const Update& update : updates) {
    auto input = std::find_if(compiled.params.begin(), compiled.params.end(),
                              [&](ir::Value p) { return compiled.value_name(p) == update.input; });
    RONDO_CHECK(input != compiled.params.end(), "passes keep the params: " + update.input);
    aliases.push_back({static_cast<uint32_t>(input - compiled.params.begin()),
                       static_cast<uint32_t>(output_index(update.output))});
  }
  return aliases;
}

Function bind_training(const Function& function, bool training) {
  if (!has_input(function.func, kTrainingInput)) return function;
  const Function bound = with_numbers(function, {{kTrainingInput, training}});
  if (training || !has_input(function.func, kCount)) return bound;
  const Function counting_nothing = with_numbers(without_count(bound), {});
  return reads_input(counting_nothing.func, kCount)
             ? bound
             : with_numbers(counting_nothing, {{kSeed, 0}, {kCount, 0}});
}

Trace::Trace(Function& function, Region& region) : function_(function), region_(region) {
  region.set_trace(*this);
}

std::string Trace::member(const std::string& name, size_t index) { return fmt::format("{}.{}", name, index); }

Tensor Trace::add_input(const std::string& name, Type type, Where where) {
  if (inputs_.contains(name))
    fail(fmt::format("{} has an input `{}` already", region_.builder().func().name, name), where);
  for (const Dim& dim : type.shape)
    if (dim.size() < 0) fail(fmt::format("input `{}`: {} is no size", name, dim.size()), where);
  Tensor tensor = region_.param(std::move(type), name);
  order_.push_back(region_.use(tensor, where));
  return inputs_[name] = tensor;
}

Tensor Trace::input(const std::string& name, DType dtype, Shape shape, Where where) {
  return add_input(name, {dtype, std::move(shape)}, where);
}

Tensor Trace::input(const std::string& name, Shape shape, Where where) {
  return input(name, function_.dtype, std::move(shape), where);
}

Tensor Trace::setting(const std::string& name, DType dtype, double value, Where where) {
  function_.defaults[name] = value;
  return input(name, dtype, {}, where);
}

Tensor Trace::setting(const std::string& name, double value, Where where) {
  return setting(name, function_.dtype, value, where);
}

Tensor Trace::add_state(const std::string& name, const Tensor& initial, Where where) {
  const ir::Func& func = region_.builder().func();
  const ir::Op* op = func.def(region_.use(initial, where));
  const bool zeros = op && op->kind == ir::OpKind::constant && op->attrs.number == 0;
  function_.state.push_back(name);
  const Tensor stored = add_input(name, initial.type(), where);
  return zeros ? stored : select({started(name, initial.type(), where), where}, stored, initial);
}

/// What lives in a program starts at zero, so that another start takes a state of its own which tells whether
/// there has been a call. It has the named dims of the state, as a new size of one makes all zero again.
Tensor Trace::started(const std::string& state, const Type& type, Where where) {
  Shape named;
  for (const Dim& dim : type.shape)
    if (dim.is_named()) named.push_back(dim);
  const std::string name = state + ".started";
  function_.state.push_back(name);
  const Tensor flag = add_input(name, {DType::i32, named}, where);
  update(name, constant(1, flag.type(), where), where);
  Tensor result = greater({flag, where}, 0);
  for (size_t i = 0; i < type.shape.size(); ++i)
    if (!type.shape[i].is_named()) result = expand({result, where}, static_cast<int64_t>(i), type.shape[i]);
  return result;
}

Tensor Trace::slot(const std::string& name, Type type, Where where) {
  function_.slots.push_back(name);
  return add_input(name, std::move(type), where);
}

Tensor Trace::training(Where where) {
  auto known = inputs_.find(kTrainingInput);
  return known != inputs_.end() ? known->second : add_input(kTrainingInput, {DType::pred, {}}, where);
}

Tensor Trace::random_seed(Where where) {
  auto known = inputs_.find(kSeed);
  return known != inputs_.end() ? known->second : setting(kSeed, DType::i32, 0, where);
}

Tensor Trace::random_count(Where where) {
  auto known = inputs_.find(kCount);
  return known != inputs_.end() ? known->second : slot(kCount, {DType::i32, {}}, where);
}

void Trace::add_output(const std::string& name, const Operand& value, Where where) {
  for (const Result& r : outputs_)
    if (r.name == name)
      fail(fmt::format("{} has an output `{}` already", region_.builder().func().name, name), where);
  outputs_.push_back({name, region_.use(value.tensor(), where)});
}

void Trace::update(const std::string& input, const Tensor& next, Where where) {
  std::optional<Type> type;
  if (auto it = inputs_.find(input); it != inputs_.end()) type = it->second.type();
  for (const auto& [param, value] : region_.params())
    if (param.name() == input) type = region_.tensor(value).type();
  if (!type) fail(fmt::format("keep: `{}` is no state, slot or parameter", input), where);
  if (*type != next.type())
    fail(fmt::format("keep: `{}` is {} before the call and {} after it", input, ir::to_string(*type),
                     ir::to_string(next.type())),
         where);
  updates_.push_back({input, region_.use(next, where)});
}

std::vector<Tensor> Trace::call(const Function& callee, Where where) {
  std::vector<ir::Value> args;
  for (ir::Value p : callee.func.params) {
    const std::string& name = callee.func.value_name(p);
    auto param = std::find_if(callee.params.begin(), callee.params.end(),
                              [&](const Param& q) { return q.name() == name; });
    Tensor arg;
    if (param != callee.params.end()) {
      arg = param->tensor(where);
    } else if (auto known = inputs_.find(name); known != inputs_.end()) {
      arg = known->second;
    } else {
      arg = add_input(name, callee.func.type(p), where);
      if (std::count(callee.state.begin(), callee.state.end(), name)) function_.state.push_back(name);
      if (std::count(callee.slots.begin(), callee.slots.end(), name)) function_.slots.push_back(name);
      if (auto it = callee.defaults.find(name); it != callee.defaults.end()) function_.defaults.insert(*it);
    }
    args.push_back(region_.use(arg, where));
  }
  function_.random_sites = std::max(function_.random_sites, callee.random_sites);
  std::vector<Tensor> results;
  for (ir::Value v : region_.builder().inline_func(callee.func, args)) results.push_back(region_.tensor(v));
  return results;
}

void Trace::finish() {
  const std::string& name = region_.builder().func().name;
  auto is_updated = [&](const std::string& input) {
    return std::any_of(updates_.begin(), updates_.end(), [&](const Result& r) { return r.name == input; });
  };
  if (auto count = inputs_.find(kCount); count != inputs_.end() && !is_updated(kCount))
    update(kCount, count->second + 1);
  for (const std::string& state : function_.state)
    if (!is_updated(state)) throw Error(fmt::format("rondo: {}: state `{}` is not kept", name, state));
  std::vector<ir::Value> results;
  for (const Result& r : outputs_) {
    function_.outputs.push_back(r.name);
    results.push_back(r.value);
  }
  for (const Result& r : updates_) {
    function_.updates.push_back({r.name, r.name + ".next"});
    function_.outputs.push_back(r.name + ".next");
    results.push_back(r.value);
  }
  // The order of first use is the compiler's choice where an expression uses two: C++ leaves the order of
  // operands open.
  auto params = region_.params();
  std::stable_sort(params.begin(), params.end(),
                   [](const auto& a, const auto& b) { return a.first.order() < b.first.order(); });
  for (const auto& [param, value] : params) {
    if (inputs_.contains(param.name()))
      throw Error(fmt::format("rondo: {}: `{}` names an input and a parameter", name, param.name()));
    function_.params.push_back(param);
    order_.push_back(value);
  }
  function_.func = region_.finish(order_, results);
}

}  // namespace rondo
