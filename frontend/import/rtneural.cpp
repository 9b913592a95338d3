#include "frontend/import/rtneural.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "frontend/import/json_node.h"
#include "frontend/import/layer_list.h"
#include "frontend/import/torch_json.h"
#include "frontend/layers/gru.h"
#include "frontend/layers/linear.h"
#include "frontend/layers/lstm.h"

namespace rondo {
namespace {

constexpr int64_t kMaxSize = 1 << 16;  // of a layer

/// The last number of a shape: the width.
int64_t last_size(const JsonNode& shape) {
  const std::vector<JsonNode> sizes = shape.elements();
  if (sizes.empty()) shape.fail("is empty");
  return sizes.back().integer(1, kMaxSize);
}

/// y_t = b + sum over k of x_{t - (width - 1 - k) dilation} w_k. Before the start x is zero.
struct CausalConv {
  struct State {
    Tensor h, past;  // the output, and the inputs before this one: [B,reach,in]
  };
  Param w, b;  // [width in, out], [out]
  int64_t in, out, width, dilation;

  int64_t reach() const { return (width - 1) * dilation; }
  State initial(const Dim& batch) const { return {zeros({batch, out}), zeros({batch, reach(), in})}; }
  State operator()(const State& s, Operand x) const {
    const Tensor window = concat({s.past, expand(x, 1, 1)}, 1);
    std::vector<Tensor> taps;
    for (int64_t k = 0; k < width; ++k) taps.push_back(slice(window, 1, k * dilation, k * dilation + 1));
    const Tensor rows = reshape(concat(taps, 1), {window.dim(0), width * in});
    return {matmul(rows, w) + b, slice(window, 1, 1, reach() + 1)};
  }
};

/// One layer of the list: its fields, and its numbers, which are asked for by their place.
class KerasLayer {
 public:
  KerasLayer(const JsonNode& node, size_t index, LayerList& model)
      : node_(node), numbers_(node.at("weights").elements()), index_(index), model_(model) {}

  const JsonNode& node() const { return node_; }
  std::string type() const { return node_.at("type").text(); }
  std::string name() const { return fmt::format("{}{}", type(), index_); }
  int64_t width() const { return last_size(node_.at("shape")); }
  size_t count() const { return numbers_.size(); }
  void expect_count(size_t least, size_t most) const {
    if (count() < least || count() > most)
      node_.at("weights").fail(fmt::format("{} arrays where {} to {} are expected", count(), least, most));
  }
  std::vector<double> numbers(size_t i, const std::vector<int64_t>& shape) const {
    return numbers_[i].numbers(shape);
  }
  /// The field `name`, a list of one size.
  int64_t single(const char* name) const {
    const std::vector<JsonNode> elements = node_.at(name).elements();
    if (elements.size() != 1) node_.at(name).fail("is not one number");
    return elements[0].integer(1, kMaxSize);
  }
  void add(const Layer& layer) { model_.layers.layers.push_back(layer); }

 private:
  const JsonNode& node_;
  std::vector<JsonNode> numbers_;
  size_t index_;
  LayerList& model_;
};

void add_activation(KerasLayer& layer) {
  const JsonNode node = layer.node().at("activation");
  const std::string name = node.text();
  if (name == "tanh") return layer.add([](Operand x) { return tanh(x); });
  if (name == "relu") return layer.add([](Operand x) { return relu(x); });
  if (name == "sigmoid") return layer.add([](Operand x) { return sigmoid(x); });
  if (name == "softmax") return layer.add([](Operand x) { return softmax(x); });
  if (name == "elu") return layer.add([](Operand x) { return select(less(x, 0), exp(min(x, 0)) - 1, x); });
  if (!name.empty() && name != "linear") node.fail(fmt::format("`{}` is not known", name));
}

void add_dense(KerasLayer& layer, LayerList& model) {
  layer.expect_count(1, 2);
  const int64_t out = layer.width();
  const Linear linear(model, layer.name(), model.width, out, layer.count() == 2);
  model.set(linear.w, layer.numbers(0, {model.width, out}));
  if (layer.count() == 2) model.set(linear.b, layer.numbers(1, {out}));
  layer.add(linear);
  model.width = out;
}

void expect_tanh(const KerasLayer& layer) {
  const JsonNode node = layer.node().at("activation");
  if (const std::string name = node.text(); !name.empty() && name != "tanh")
    node.fail(fmt::format("`{}` of a recurrent layer is not supported; tanh is", name));
}

/// The numbers, row by row, with their three gates of a row in the order r, z, n instead of z, r, n.
std::vector<double> with_gates_of_gru(std::vector<double> numbers, int64_t hidden) {
  for (auto row = numbers.begin(); row != numbers.end(); row += 3 * hidden)
    std::swap_ranges(row, row + hidden, row + hidden);
  return numbers;
}

void add_lstm(KerasLayer& layer, LayerList& model) {
  layer.expect_count(3, 3);
  expect_tanh(layer);
  const int64_t in = model.width, hidden = layer.width();
  const std::vector<double> wx = layer.numbers(0, {in, 4 * hidden}),
                            wh = layer.numbers(1, {hidden, 4 * hidden});
  const Lstm lstm(model, layer.name(), in, hidden);
  model.set(lstm.wx, wx);
  model.set(lstm.wh, wh);
  model.set(lstm.b, layer.numbers(2, {4 * hidden}));
  layer.add(lstm);
  model.width = hidden;
}

void add_gru(KerasLayer& layer, LayerList& model) {
  layer.expect_count(3, 3);
  expect_tanh(layer);
  const int64_t in = model.width, hidden = layer.width(), gates = 3 * hidden;
  const std::vector<double> wx = layer.numbers(0, {in, gates}), wh = layer.numbers(1, {hidden, gates});
  const std::vector<double> biases = with_gates_of_gru(layer.numbers(2, {2, gates}), hidden);
  const Gru gru(model, layer.name(), in, hidden, Gru::Reset::after);
  model.set(gru.wx, with_gates_of_gru(wx, hidden));
  model.set(gru.wh, with_gates_of_gru(wh, hidden));
  model.set(gru.b, std::span(biases).first(gates));
  model.set(gru.bh, std::span(biases).last(gates));
  layer.add(gru);
  model.width = hidden;
}

void add_conv(KerasLayer& layer, LayerList& model) {
  layer.expect_count(2, 2);
  if (const auto groups = layer.node().find("groups")) groups->integer(1, 1);
  const int64_t in = model.width, out = layer.width(), width = layer.single("kernel_size");
  const std::vector<double> kernel = layer.numbers(0, {width, in, out}), bias = layer.numbers(1, {out});
  const CausalConv conv{model.param(layer.name() + ".w", {width * in, out}),
                        model.param(layer.name() + ".b", {out}),
                        in,
                        out,
                        width,
                        layer.single("dilation")};
  model.set(conv.w, kernel);
  model.set(conv.b, bias);
  if (width > 1) {
    layer.add(conv);
  } else {
    layer.add([conv](Operand x) { return matmul(x, conv.w) + conv.b; });
  }
  model.width = out;
}

void add_prelu(KerasLayer& layer, LayerList& model) {
  layer.expect_count(1, 1);
  const std::vector<double> slopes = layer.numbers(0, {1, model.width});
  const Param alpha = model.param(layer.name() + ".alpha", {model.width});
  model.set(alpha, slopes);
  layer.add([alpha](Operand x) { return select(less(x, 0), alpha.tensor() * x, x); });
}

/// gain (x - mean) / sqrt(variance + epsilon) + bias, as one product and one sum: the four are constants.
void add_batch_norm(KerasLayer& layer, LayerList& model) {
  if (layer.count() != 2) layer.expect_count(4, 4);
  const int64_t n = model.width;
  const bool affine = layer.count() == 4;
  std::vector<double> scale = affine ? layer.numbers(0, {n}) : std::vector<double>(n, 1);
  std::vector<double> shift = affine ? layer.numbers(1, {n}) : std::vector<double>(n, 0);
  const std::vector<double> mean = layer.numbers(affine ? 2 : 0, {n}),
                            variance = layer.numbers(affine ? 3 : 1, {n});
  const JsonNode epsilon = layer.node().at("epsilon");
  for (int64_t i = 0; i < n; ++i) {
    const double below = variance[i] + epsilon.number();
    if (!(below > 0)) epsilon.fail("the variance and it are not above zero");
    scale[i] /= std::sqrt(below);
    shift[i] -= mean[i] * scale[i];
  }
  const Param w = model.param(layer.name() + ".scale", {n}), b = model.param(layer.name() + ".shift", {n});
  model.set(w, scale);
  model.set(b, shift);
  layer.add([w, b](Operand x) { return w * x.tensor() + b; });
}

void add_layer(const JsonNode& node, size_t index, LayerList& model) {
  node.allow_only({"type", "activation", "shape", "weights", "kernel_size", "dilation", "groups", "epsilon"});
  KerasLayer layer(node, index, model);
  const std::string type = layer.type();
  if (type == "lstm") return add_lstm(layer, model);
  if (type == "gru") return add_gru(layer, model);
  if (type == "dense" || type == "time-distributed-dense") {
    add_dense(layer, model);
  } else if (type == "conv1d") {
    add_conv(layer, model);
  } else if (type == "prelu") {
    add_prelu(layer, model);
  } else if (type == "batchnorm") {
    add_batch_norm(layer, model);
  } else if (type != "activation") {
    node.at("type").fail(fmt::format("`{}` is not known", type));
  }
  add_activation(layer);
}

/// Layers as Keras has them. What else the file tells may be no more than notes.
void read_layers(const JsonNode& file, LayerList& model, std::map<std::string, std::string>& metadata) {
  for (const auto& [key, node] : file.members()) {
    if (key == "in_shape" || key == "layers") continue;
    if (key == "esr") {  // of the training
      metadata[key] = fmt::format("{}", node.number());
      continue;
    }
    if (!node.value().is_string()) node.fail("is not known");
    metadata[key] = node.text();
  }
  model.in = model.width = last_size(file.at("in_shape"));
  const std::vector<JsonNode> layers = file.at("layers").elements();
  if (layers.empty()) file.at("layers").fail("is empty");
  for (size_t i = 0; i < layers.size(); ++i) add_layer(layers[i], i, model);
}

}  // namespace

ImportedModel load_rtneural(const std::string& path) {
  const JsonNode::Json document = JsonNode::read(path);
  const JsonNode file(document, path);
  LayerList model;
  std::map<std::string, std::string> metadata;
  file.find("layers") ? read_layers(file, model, metadata) : read_state_dict(file, model);
  ImportedModel imported = model.finish();
  imported.metadata = std::move(metadata);
  return imported;
}

}  // namespace rondo
