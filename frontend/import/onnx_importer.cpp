#include "frontend/import/onnx_importer.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "frontend/import/onnx_file.h"
#include "frontend/region.h"
#include "ir/evaluator.h"
#include "support/error.h"

namespace rondo {

ImportedModel load_onnx(const std::string& path, const OnnxOptions& options) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (bytes.empty()) throw Error(fmt::format("rondo: {}: cannot be read", path));
  return onnx::import_bytes(bytes, path, options);
}

}  // namespace rondo

namespace rondo::onnx {
namespace {

constexpr int64_t kMaxNodes = 1'000'000;  // loops that are unrolled may hold many
constexpr int64_t kFoldBudget = 1 << 24;  // elements, besides some of each constant in the file

/// Throws Error for an entry of an option whose name the model does not have.
template <class Map>
void check_names(const Map& entries, const std::vector<std::string>& known, const char* what,
                 const std::string& path) {
  for (const auto& [name, value] : entries)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw Error(
          fmt::format("rondo: {}: no {} `{}`; there are: {}", path, what, name, fmt::join(known, ", ")));
}

std::vector<std::string> input_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Input& input : graph.inputs) names.push_back(input.name);
  return names;
}

std::vector<std::string> dim_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Input& input : graph.inputs)
    for (const ir::Dim& dim : input.type->shape)
      if (dim.is_named() && std::find(names.begin(), names.end(), dim.name()) == names.end())
        names.push_back(dim.name());
  return names;
}

}  // namespace

ImportedModel import_bytes(const std::string& bytes, const std::string& path, const OnnxOptions& options) {
  const Model model = parse_model(bytes, path);
  return Importer(model, path, options).import();
}

const Value* Scope::find(const std::string& name) const {
  for (const Scope* scope = this; scope; scope = scope->outer)
    if (const auto known = scope->values.find(name); known != scope->values.end()) return &known->second;
  return nullptr;
}

Importer::Importer(const Model& model, const std::string& path, const OnnxOptions& options)
    : model_(model),
      path_(path),
      options_(options),
      constants_(model.has_f64 ? f64 : f32),
      budget_(kFoldBudget + 8 * model.constant_count) {
  check_names(options.values, input_names(model.graph), "input", path);
  check_names(options.state, input_names(model.graph), "input", path);
  check_names(options.dims, dim_names(model.graph), "dim", path);
}

ImportedModel Importer::import() {
  Function run("run", model_.has_f64 ? f64 : f32, [&](Trace& t) { trace(t); });
  keep_state(run);
  return {{std::move(run)}, constants_.weights(), model_.metadata};
}

void Importer::trace(Trace& t) {
  std::vector<Value> inputs;
  for (const Input& input : model_.graph.inputs) {
    names_[input.name] = constants_.unique(clean_name(input.name));
    inputs.push_back(this->input(t, input));
  }
  std::vector<std::string> outputs;
  for (const std::string& name : model_.graph.outputs) outputs.push_back(constants_.unique(clean_name(name)));
  const std::vector<Value> results = run(model_.graph, inputs, nullptr);
  for (size_t i = 0; i < results.size(); ++i) {
    names_.emplace(model_.graph.outputs[i], outputs[i]);
    t.output(outputs[i], tensor(results[i], {path_.c_str(), 0}));
  }
}

Value Importer::input(Trace& t, const Input& input) {
  ir::Type type = *input.type;
  for (ir::Dim& dim : type.shape)
    if (const auto bound = options_.dims.find(dim.name()); bound != options_.dims.end()) dim = bound->second;
  const auto value = options_.values.find(input.name);
  if (value == options_.values.end()) return t.input(names_.at(input.name), type.dtype, type.shape);
  int64_t count = 1;
  std::vector<int64_t> shape;
  for (const ir::Dim& dim : type.shape) {
    shape.push_back(dim.size());
    count = dim.is_named() || dim.size() > kFoldBudget ? kFoldBudget + 1 : count * dim.size();
    if (count > kFoldBudget)
      throw Error(fmt::format("rondo: {}: input {} is {}: too large for a constant", path_, input.name,
                              to_string(type)));
  }
  return make_constant(type.dtype, shape, std::vector<double>(count, value->second));
}

void Importer::keep_state(Function& function) const {
  for (const auto& [input, output] : options_.state) {
    const auto name = names_.find(output);
    if (name == names_.end() ||
        std::find(function.outputs.begin(), function.outputs.end(), name->second) == function.outputs.end())
      throw Error(fmt::format("rondo: {}: no output `{}`; there are: {}", path_, output,
                              fmt::join(model_.graph.outputs, ", ")));
    const std::string& state = names_.at(input);
    const auto param = std::find_if(function.func.params.begin(), function.func.params.end(),
                                    [&](ir::Value p) { return function.func.value_name(p) == state; });
    if (param == function.func.params.end())
      throw Error(fmt::format("rondo: {}: input {} is a constant, no state", path_, input));
    const ir::Type& before = function.func.type(*param);
    const ir::Type& after = function.func.type(function.func.results[function.output_index(name->second)]);
    if (before != after)
      throw Error(fmt::format("rondo: {}: state {} is {} and {} is {}", path_, input, to_string(before),
                              output, to_string(after)));
    function.state.push_back(state);
    function.updates.push_back({state, name->second});
  }
}

std::vector<Value> Importer::run(const Graph& graph, const std::vector<Value>& inputs, const Scope* outer) {
  RONDO_CHECK(inputs.size() == graph.inputs.size(), "a value for each input");
  Scope scope{outer};
  for (const auto& [name, constant] : graph.constants) {
    scope.values[name] = constant;
    constants_.set_name(constant, name);
  }
  for (size_t i = 0; i < inputs.size(); ++i) scope.values.insert_or_assign(graph.inputs[i].name, inputs[i]);
  for (const Node& node : graph.nodes) run(node, scope);
  std::vector<Value> outputs;
  for (const std::string& name : graph.outputs) {
    const Value* value = scope.find(name);
    if (!value) throw Error(fmt::format("rondo: {}: output `{}` is computed by no node", path_, name));
    outputs.push_back(*value);
  }
  return outputs;
}

void Importer::run(const Node& node, Scope& scope) {
  const Where where{path_.c_str(), node.number};
  const LibraryCall place(fmt::format("{} `{}`", node.op, node.name), where);
  if (++nodes_ > kMaxNodes) fail(fmt::format("more than {} nodes, loops unrolled", kMaxNodes), where);
  const OpEntry* op = find_op(node.op);
  if (!op) fail("the op is not supported", where);
  const std::vector<Value> results = results_of(node, *op, scope, where);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const std::string& name = node.outputs[i];
    if (name.empty()) continue;
    if (i >= results.size()) fail(fmt::format("output {} is not supported", i), where);
    if (!scope.values.emplace(name, results[i]).second)
      fail(fmt::format("output `{}` is computed already", name), where);
    if (const Constant* constant = std::get_if<Constant>(&results[i])) constants_.set_name(*constant, name);
  }
}

std::vector<Value> Importer::results_of(const Node& node, const OpEntry& op, const Scope& scope,
                                        Where where) {
  if (op.folds != OpEntry::never)
    if (auto results = fold(node, op, scope, where)) return *results;
  Call call(*this, node, scope, where);
  op.emit(call);
  call.check_attributes();
  return std::move(call).results();
}

Tensor Importer::tensor(const Value& value, Where where) {
  if (const Tensor* tensor = std::get_if<Tensor>(&value)) return *tensor;
  const Constant& constant = std::get<Constant>(value);
  if (!fold_ || is_uniform(*constant)) return constants_.tensor(constant, where);
  for (size_t i = 0; i < fold_->inputs.size(); ++i)
    if (fold_->inputs[i] == constant) return fold_->tensors[i];
  fold_->inputs.push_back(constant);
  const ir::Type type = type_of(value);
  fold_->tensors.push_back(
      fold_->trace.input(fmt::format("c{}", fold_->inputs.size()), type.dtype, type.shape));
  return fold_->tensors.back();
}

}  // namespace rondo::onnx
