#include "frontend/import/torch_json.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "frontend/layers/gru.h"
#include "frontend/layers/linear.h"
#include "frontend/layers/lstm.h"

namespace rondo {
namespace {

/// The tensors of one module by their names in it, as numbers that are asked for.
class Module {
 public:
  Module(std::string name, const JsonNode& dict) : name_(std::move(name)), dict_(dict) {}

  const std::string& name() const { return name_; }
  void add(const std::string& tensor, const JsonNode& node) { tensors_.emplace(tensor, node); }
  bool has(const std::string& tensor) const { return tensors_.contains(tensor); }
  const JsonNode& at(const std::string& tensor) const {
    const auto found = tensors_.find(tensor);
    if (found == tensors_.end()) dict_.fail(fmt::format("{} has no {}", name_, tensor));
    return found->second;
  }
  /// A matrix, and how many rows and columns it has.
  JsonNumbers matrix(const std::string& tensor) const {
    JsonNumbers numbers = at(tensor).numbers();
    if (numbers.shape.size() != 2 || numbers.values.empty()) at(tensor).fail("is no matrix");
    return numbers;
  }
  /// Zeros where the module has no such tensor.
  std::vector<double> bias(const std::string& tensor, int64_t size) const {
    return has(tensor) ? at(tensor).numbers({size}) : std::vector<double>(size);
  }
  void allow_only(const std::vector<std::string>& known) const {
    for (const auto& [tensor, node] : tensors_)
      if (std::find(known.begin(), known.end(), tensor) == known.end())
        node.fail("is no tensor of an LSTM, a GRU or a Linear that is known here");
  }

 private:
  std::string name_;
  const JsonNode& dict_;
  std::map<std::string, JsonNode> tensors_;
};

void check_width(const Module& module, const std::string& tensor, LayerList& model, int64_t in) {
  if (model.width == 0) model.in = model.width = in;
  if (in != model.width) module.at(tensor).fail(fmt::format("takes {} elements, {} come", in, model.width));
}

void add_linear(const Module& module, LayerList& model) {
  module.allow_only({"weight", "bias"});
  const JsonNumbers weight = module.matrix("weight");  // [out,in]
  const int64_t out = weight.shape[0], in = weight.shape[1];
  check_width(module, "weight", model, in);
  const Linear layer(model, module.name(), in, out, module.has("bias"));
  model.set(layer.w, transposed(weight.values, out, in));
  if (layer.b.is_set()) model.set(layer.b, module.bias("bias", out));
  model.layers.layers.emplace_back(layer);
  model.width = out;
}

/// The matrices of a cell's gates, transposed.
void set_matrices(const Gates& cell, const JsonNumbers& ih, const JsonNumbers& hh, LayerList& model) {
  model.set(cell.wx, transposed(ih.values, ih.shape[0], ih.shape[1]));
  model.set(cell.wh, transposed(hh.values, hh.shape[0], hh.shape[1]));
}

/// Layer `index` of an LSTM or a GRU; their gates stand in the order of Lstm and Gru.
void add_recurrent(const Module& module, int64_t index, LayerList& model) {
  auto tensor = [&](const char* kind) { return fmt::format("{}_l{}", kind, index); };
  const JsonNumbers ih = module.matrix(tensor("weight_ih")), hh = module.matrix(tensor("weight_hh"));
  const int64_t rows = hh.shape[0], hidden = hh.shape[1], in = ih.shape[1];
  if (ih.shape[0] != rows)
    module.at(tensor("weight_ih")).fail(fmt::format("{} rows, weight_hh has {}", ih.shape[0], rows));
  check_width(module, tensor("weight_ih"), model, in);
  const std::vector<double> b = module.bias(tensor("bias_ih"), rows),
                            bh = module.bias(tensor("bias_hh"), rows);
  const std::string name = fmt::format("{}.l{}", module.name(), index);
  if (rows == 4 * hidden) {
    const Lstm cell(model, name, in, hidden);
    set_matrices(cell, ih, hh, model);
    std::vector<double> sum = b;
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += bh[i];
    model.set(cell.b, sum);
    model.layers.layers.emplace_back(cell);
  } else if (rows == 3 * hidden) {
    const Gru cell(model, name, in, hidden, Gru::Reset::after);
    set_matrices(cell, ih, hh, model);
    model.set(cell.b, b);
    model.set(cell.bh, bh);
    model.layers.layers.emplace_back(cell);
  } else {
    module.at(tensor("weight_hh")).fail(fmt::format("[{},{}] is of no LSTM or GRU", rows, hidden));
  }
  model.width = hidden;
}

void add_module(const Module& module, LayerList& model) {
  if (!module.has("weight_hh_l0")) return add_linear(module, model);
  std::vector<std::string> known;
  int64_t layers = 0;
  for (; module.has(fmt::format("weight_hh_l{}", layers)); ++layers)
    for (const char* kind : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"})
      known.push_back(fmt::format("{}_l{}", kind, layers));
  module.allow_only(known);
  for (int64_t i = 0; i < layers; ++i) add_recurrent(module, i, model);
}

}  // namespace

void read_state_dict(const JsonNode& dict, LayerList& model) {
  std::vector<Module> modules;
  for (const auto& [key, node] : dict.members()) {
    const size_t dot = key.rfind('.');
    if (dot == key.npos) node.fail("is no layer list and no tensor of a module");
    const std::string name = key.substr(0, dot);
    auto module =
        std::find_if(modules.begin(), modules.end(), [&](const Module& m) { return m.name() == name; });
    if (module == modules.end()) {
      modules.emplace_back(name, dict);
      module = modules.end() - 1;
    }
    module->add(key.substr(dot + 1), node);
  }
  if (modules.empty()) dict.fail("has no layers");
  model.width = 0;
  for (const Module& module : modules) add_module(module, model);
}

}  // namespace rondo
