#include "frontend/import/nam.h"

#include <fmt/format.h>

#include "frontend/import/json_node.h"
#include "frontend/import/layer_list.h"
#include "frontend/layers/linear.h"
#include "frontend/layers/lstm.h"

namespace rondo {
namespace {

constexpr int64_t kMaxSize = 1 << 16;  // of a layer; products of two fit easily

/// An LSTM whose first state is learned.
struct NamCell {
  using State = Lstm::State;
  Lstm lstm;
  Param h0, c0;

  State initial(const Dim& batch) const { return {expand(h0, 0, batch), expand(c0, 0, batch)}; }
  State operator()(const State& s, Operand x) const { return lstm(s, x); }
};

/// The file's numbers, which stand in one list, in order.
class NumberList {
 public:
  explicit NumberList(const JsonNode& node) : node_(node), numbers_(node.numbers()) {
    if (numbers_.shape.size() != 1) node.fail("is not one list");
  }

  std::span<const double> take(int64_t count, std::string_view what) {
    const std::span<const double> rest = std::span(numbers_.values).subspan(taken_);
    if (static_cast<int64_t>(rest.size()) < count)
      node_.fail(fmt::format("{} numbers: {} takes {} after the first {}", numbers_.values.size(), what,
                             count, taken_));
    taken_ += static_cast<size_t>(count);
    return rest.first(static_cast<size_t>(count));
  }
  void expect_end() const {
    if (taken_ != numbers_.values.size())
      node_.fail(fmt::format("{} numbers: the model takes {}", numbers_.values.size(), taken_));
  }

 private:
  const JsonNode& node_;
  JsonNumbers numbers_;
  size_t taken_ = 0;
};

/// A layer's numbers: [4 hidden, in + hidden], both matrices side by side, their gates in the order of Lstm;
/// the bias; the first h and c.
void add_lstm(LayerList& model, NumberList& numbers, int64_t index, int64_t hidden) {
  const int64_t in = model.width, gates = 4 * hidden, cols = in + hidden;
  const std::string name = fmt::format("lstm{}", index);
  const auto both = transposed(numbers.take(gates * cols, name), gates, cols);
  NamCell cell{Lstm(model, name, in, hidden), model.param(name + ".h0", {hidden}),
               model.param(name + ".c0", {hidden})};
  model.set(cell.lstm.wx, std::span(both).first(in * gates));
  model.set(cell.lstm.wh, std::span(both).subspan(in * gates));
  model.set(cell.lstm.b, numbers.take(gates, name + ".b"));
  model.set(cell.h0, numbers.take(hidden, name + ".h0"));
  model.set(cell.c0, numbers.take(hidden, name + ".c0"));
  model.layers.layers.emplace_back(cell);
  model.width = hidden;
}

void read_metadata(const JsonNode& file, ImportedModel& model) {
  auto add = [&](const std::string& key, const JsonNode& node) {
    if (node.value().is_string()) {
      model.metadata[key] = node.text();
    } else if (node.value().is_number()) {
      model.metadata[key] = node.value().dump();
    }
  };
  if (const auto metadata = file.find("metadata"); metadata && metadata->value().is_object())
    for (const auto& [key, node] : metadata->members()) add(key, node);
  for (const char* key : {"version", "sample_rate"})
    if (const auto node = file.find(key)) add(key, *node);
}

}  // namespace

ImportedModel load_nam(const std::string& path) {
  const JsonNode::Json document = JsonNode::read(path);
  const JsonNode file(document, path);
  file.allow_only({"version", "metadata", "architecture", "config", "weights", "sample_rate"});
  if (const JsonNode architecture = file.at("architecture"); architecture.text() != "LSTM")
    architecture.fail(fmt::format("`{}` is not supported; LSTM is", architecture.text()));
  const JsonNode config = file.at("config");
  config.allow_only({"input_size", "hidden_size", "num_layers", "in_channels", "out_channels"});
  for (const char* key : {"input_size", "in_channels", "out_channels"})
    if (const auto size = config.find(key)) size->integer(1, 1);
  const int64_t hidden = config.at("hidden_size").integer(1, kMaxSize);
  const int64_t depth = config.at("num_layers").integer(1, kMaxSize);

  const JsonNode weights = file.at("weights");
  NumberList numbers(weights);
  LayerList model;
  for (int64_t i = 0; i < depth; ++i) add_lstm(model, numbers, i, hidden);
  const Linear head(model, "head", hidden, 1);
  model.set(head.w, numbers.take(hidden, "head.w"));
  model.set(head.b, numbers.take(1, "head.b"));
  model.layers.layers.emplace_back(head);
  numbers.expect_end();

  ImportedModel imported = model.finish();
  read_metadata(file, imported);
  return imported;
}

}  // namespace rondo
