#include "frontend/seq2seq/decoder.h"

#include <fmt/format.h>

#include <numeric>

namespace rondo {
namespace {

struct Widths {
  std::vector<int64_t> state;
  int64_t output = 0;
};

/// A layer has no type that tells: a trial step does.
Widths widths_of(const Layer& layer, DType dtype, int64_t in, Where where) {
  Widths widths;
  Function("trial", dtype, [&](Trace&) {
    const Layer::State state = layer.initial("B");
    for (const Tensor& t : state) {
      if (t.rank() != 2 || t.dim(1).is_named())
        fail(fmt::format("decoder: a state of {}, not of a vector a row", ir::to_string(t.type())), where);
      widths.state.push_back(t.dim(1).size());
    }
    widths.output = layer(state, {zeros({"B", in}), where}).second.dim(-1).size();
  });
  return widths;
}

void check(const DecoderOptions& o, const std::string& name, Where where) {
  if (o.symbols < 1) fail(fmt::format("decoder `{}`: {} symbols", name, o.symbols), where);
  if (o.end < 0 || o.end >= o.symbols)
    fail(fmt::format("decoder `{}`: the end symbol {} is outside [0,{})", name, o.end, o.symbols), where);
}

}  // namespace

Decoder::Decoder(Model& m, const std::string& name, const DecoderOptions& options, int64_t context,
                 int64_t memory, const MakeLayer& make, Where where)
    : options_(options) {
  check(options, name, where);
  const bool additive = options.attention == Attention::Kind::additive;
  const int64_t in = options.embedding + (additive ? memory : 0);
  embedding_ = m.param(name + ".embedding", {options.symbols, options.embedding}, init::normal(1), where);
  layer_ = make(m, name + ".layer", in);
  const Widths widths = widths_of(*layer_, m.dtype(), in, where);
  widths_ = widths.state;
  if (additive) widths_.push_back(widths.output);
  const int64_t all = std::accumulate(widths_.begin(), widths_.end(), int64_t{0});
  start_ = Linear(m, name + ".start", context, all, true, init::glorot(), init::zeros(), where);
  attention_ = Attention(m, name + ".attention", options.attention, widths.output, memory,
                         options.attention_hidden, where);
  if (attention_.is_set())
    mix_ = Linear(m, name + ".mix", widths.output + memory, widths.output, false, init::glorot(),
                  init::zeros(), where);
  head_ =
      Linear(m, name + ".head", widths.output, options.symbols, true, init::glorot(), init::zeros(), where);
}

Decoder::State Decoder::start(Operand context) const {
  LibraryCall call("decoder", context.where());
  const Tensor all = tanh(start_(context));
  State state;
  int64_t at = 0;
  for (int64_t width : widths_) {
    state.layer.push_back(slice(all, -1, at, at + width));
    at += width;
  }
  if (options_.attention == Attention::Kind::additive) {
    state.query.push_back(state.layer.back());
    state.layer.pop_back();
  }
  return state;
}

Decoder::Step Decoder::operator()(const Memory& memory, const State& state, Operand before) const {
  LibraryCall call("decoder", before.where());
  Step step;
  Tensor x = gather(embedding_, before), context;
  auto read = [&](const Tensor& query) {
    auto [mean, weights] = attention_(memory, query);
    context = mean;
    step.weights.push_back(weights);
  };
  if (!state.query.empty()) {
    read(state.query[0]);
    x = concat({x, context}, -1);
  }
  auto [next, h] = (*layer_)(state.layer, x);
  step.state.layer = next;
  if (!state.query.empty()) step.state.query.push_back(h);
  if (attention_.kind == Attention::Kind::dot) read(h);
  step.logits = head_(attention_.is_set() ? tanh(mix_(concat({h, context}, -1))) : h);
  return step;
}

}  // namespace rondo
