// LSTM, GRU and RNN of ONNX, with all their attributes.
#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "frontend/import/onnx_activations.h"
#include "frontend/import/onnx_shapes.h"
#include "frontend/layers/gates.h"
#include "frontend/scan.h"

namespace rondo::onnx {
namespace {

/// Inputs of all three ops; LSTM has two more.
enum InputIndex { kX, kW, kR, kB, kLengths, kInitialH, kInitialC, kPeepholes };

/// One kind of cell: how many gates, states and activations it has.
struct Kind {
  int64_t gates;
  std::vector<InputIndex> states;
  std::vector<const char*> activations;  // where none are given
};

/// A node's attributes and sizes.
struct Layer {
  int64_t in = 0, hidden = 0, directions = 1;
  bool reverse = false;  // the first direction
  bool batch_first = false;
  double clip = 0;
  std::vector<Activation> activations;  // of all directions
  Dim batch;
};

using States = std::vector<Tensor>;  // h, and c, [B,hidden]

/// What a step of one direction is made of.
struct Cell {
  Factor w, r;          // [gates hidden, in], [gates hidden, hidden]
  Tensor b, rb;         // [gates hidden]; no shape where there is no bias
  Tensor peepholes;     // [3 hidden], likewise
  const Activation* f;  // the direction's activations
  const Layer& layer;

  Tensor clipped(const Tensor& x) const { return rondo::clipped(x, layer.clip); }
  Tensor part(const Tensor& x, int64_t i) const {
    return slice(x, -1, i * layer.hidden, (i + 1) * layer.hidden);
  }
  bool has_bias() const { return b.rank() > 0; }
};

/// The list of activations, each with the next of the alphas and betas if it has such.
std::vector<Activation> activations_of(const Call& c, const Kind& kind, int64_t directions) {
  std::vector<std::string> names = c.texts("activations");
  const std::vector<double> alphas = c.numbers("activation_alpha"), betas = c.numbers("activation_beta");
  const size_t wanted = kind.activations.size() * static_cast<size_t>(directions);
  if (names.empty())
    for (int64_t d = 0; d < directions; ++d)
      names.insert(names.end(), kind.activations.begin(), kind.activations.end());
  if (names.size() != wanted) c.fail(fmt::format("{} activations, {} are needed", names.size(), wanted));
  size_t alpha = 0, beta = 0;
  std::vector<Activation> activations;
  for (const std::string& name : names) {
    const ActivationDef* def = find_activation(name);
    if (!def) c.fail(fmt::format("activation `{}` is not known", name));
    auto next = [&](const std::vector<double>& list, size_t& at, const std::optional<double>& otherwise) {
      if (at < list.size()) return list[at++];
      if (!otherwise) c.fail(fmt::format("activation {} has no alpha or beta", name));
      return *otherwise;
    };
    const double a = def->constants > 0 ? next(alphas, alpha, def->alpha) : 0;
    const double b = def->constants > 1 ? next(betas, beta, def->beta) : 0;
    activations.push_back([def, a, b](const Tensor& x) { return def->apply(x, a, b); });
  }
  if (alpha != alphas.size()) c.fail("activation_alpha has more numbers than the activations take");
  if (beta != betas.size()) c.fail("activation_beta has more numbers than the activations take");
  return activations;
}

void expect_shape(const Call& c, size_t input, const Shape& shape) {
  if (c.has(input) && c.type(input).shape != shape)
    c.fail(fmt::format("input {} is {}, {} is needed", input, to_string(c.type(input)), to_string(shape)));
}

Layer layer_of(const Call& c, const Kind& kind) {
  Layer layer;
  const std::string direction = c.text("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
    c.fail(fmt::format("direction {} is not known", direction));
  layer.directions = direction == "bidirectional" ? 2 : 1;
  layer.reverse = direction == "reverse";
  layer.batch_first = c.opset() >= 14 && c.flag("layout");
  layer.clip = c.number("clip", 0);
  if (!(layer.clip >= 0)) c.fail(fmt::format("clip is {}", layer.clip));
  layer.activations = activations_of(c, kind, layer.directions);
  const Shape x = c.type(kX).shape, r = c.type(kR).shape;
  if (x.size() != 3 || x[2].is_named() || r.size() != 3 || r[2].is_named())
    c.fail(fmt::format("X is {} and R is {}", to_string(x), to_string(r)));
  layer.in = x[2].size();
  layer.hidden = c.integer("hidden_size", r[2].size());
  layer.batch = x[layer.batch_first ? 0 : 1];
  const int64_t d = layer.directions, h = layer.hidden;
  if (h < 1 || h > (1 << 20)) c.fail(fmt::format("hidden_size is {}", h));
  expect_shape(c, kW, {d, kind.gates * h, x[2]});
  expect_shape(c, kR, {d, kind.gates * h, h});
  expect_shape(c, kB, {d, 2 * kind.gates * h});
  expect_shape(c, kLengths, {layer.batch});
  for (InputIndex state : kind.states)
    expect_shape(c, state, layer.batch_first ? Shape{layer.batch, d, h} : Shape{d, layer.batch, h});
  return layer;
}

Cell cell_of(const Call& c, const Layer& layer, const Kind& kind, int64_t direction) {
  const int64_t rows = kind.gates * layer.hidden;
  Cell cell{factor_of(c, kW, rows, layer.in, direction),
            factor_of(c, kR, rows, layer.hidden, direction),
            {},
            {},
            {},
            layer.activations.data() + direction * static_cast<int64_t>(kind.activations.size()),
            layer};
  if (c.has(kB)) {
    const Tensor both = select_along(c.tensor(kB), 0, direction);
    cell.b = slice(both, 0, 0, rows), cell.rb = slice(both, 0, rows, 2 * rows);
  }
  if (kind.states.size() == 2 && c.has(kPeepholes)) {
    expect_shape(c, kPeepholes, {layer.directions, 3 * layer.hidden});
    cell.peepholes = select_along(c.tensor(kPeepholes), 0, direction);
  }
  return cell;
}

using Step = std::function<States(const Cell&, const States&, const Tensor& x)>;

Tensor with_bias(const Tensor& x, const Tensor& bias) { return bias.rank() > 0 ? x + bias : x; }

/// Runs the layer and gives Y, and the last of each state.
void emit_layer(Call& c, const Kind& kind, const Step& step) {
  const Layer layer = layer_of(c, kind);
  const Tensor xs = layer.batch_first ? swap_batch_and_time(c.tensor(kX)) : c.tensor(kX);
  ScanOptions options;
  if (c.has(kLengths)) options.lengths = c.tensor(kLengths);
  std::vector<Tensor> ys;
  std::vector<std::vector<Tensor>> last(kind.states.size());
  const int64_t state_axis = layer.batch_first ? 1 : 0;
  for (int64_t d = 0; d < layer.directions; ++d) {
    const Cell cell = cell_of(c, layer, kind, d);
    States initial;
    for (InputIndex state : kind.states)
      initial.push_back(c.has(state) ? select_along(c.tensor(state), state_axis, d)
                                     : constant(0, Type{xs.dtype(), {layer.batch, layer.hidden}}));
    options.reverse = layer.reverse || d == 1;
    const auto [final_states, outputs] = scan(
        initial, xs,
        [&](const States& s, const Tensor& x) {
          const States next = step(cell, s, x);
          return std::pair(next, next[0]);
        },
        options, c.where());
    ys.push_back(outputs);
    // ONNX Runtime gives zeros for a row of no steps, whatever its initial state.
    for (size_t i = 0; i < last.size(); ++i)
      last[i].push_back(options.lengths ? select(expand_like(greater(*options.lengths, 0), final_states[i]),
                                                 final_states[i], 0)
                                        : final_states[i]);
  }
  const Tensor y = stack(ys, 1);  // [T,D,B,hidden]
  c.result(layer.batch_first ? transpose(y, {2, 0, 1, 3}) : y);
  for (const std::vector<Tensor>& states : last) c.result(stack(states, state_axis));
}

/// Gates i, o, f, c.
States lstm_step(const Cell& cell, const States& s, const Tensor& x, bool coupled) {
  const Activation &f = cell.f[0], &g = cell.f[1], &h = cell.f[2];
  Tensor z = cell.w.times(x);
  if (cell.has_bias()) z = z + (cell.b + cell.rb);
  z = z + cell.r.times(s[0]);
  auto gate = [&](int64_t i, int64_t peephole, const Tensor& c) {
    Tensor a = cell.part(z, i);
    if (cell.peepholes.rank() > 0) a = a + cell.part(cell.peepholes, peephole) * c;
    return f(cell.clipped(a));
  };
  const Tensor i = gate(0, 0, s[1]);
  const Tensor forget = coupled ? 1 - i : gate(2, 2, s[1]);
  const Tensor c = forget * s[1] + i * g(cell.clipped(cell.part(z, 3)));
  return {gate(1, 1, c) * h(c), c};
}

void emit_lstm(Call& c) {
  const bool coupled = c.flag("input_forget");
  emit_layer(
      c, {4, {kInitialH, kInitialC}, {"Sigmoid", "Tanh", "Tanh"}},
      [=](const Cell& cell, const States& s, const Tensor& x) { return lstm_step(cell, s, x, coupled); });
}

/// Gates z, r, h.
States gru_step(const Cell& cell, const States& s, const Tensor& x, bool reset_after) {
  const Activation &f = cell.f[0], &g = cell.f[1];
  const int64_t two = 2 * cell.layer.hidden, all = 3 * cell.layer.hidden;
  const Tensor zx = with_bias(cell.w.times(x), cell.b);
  auto of_hidden = [&](const Tensor& h, int64_t from, int64_t to) {
    const Tensor product = cell.r.rows(from, to).times(h);
    return cell.has_bias() ? product + slice(cell.rb, 0, from, to) : product;
  };
  const Tensor zr = f(cell.clipped(slice(zx, -1, 0, two) + of_hidden(s[0], 0, two)));
  const Tensor z = cell.part(zr, 0), r = cell.part(zr, 1);
  const Tensor n = reset_after ? r * of_hidden(s[0], two, all) : of_hidden(r * s[0], two, all);
  const Tensor h = g(cell.clipped(cell.part(zx, 2) + n));
  return {(1 - z) * h + z * s[0]};
}

void emit_gru(Call& c) {
  const bool reset_after = c.flag("linear_before_reset");
  emit_layer(
      c, {3, {kInitialH}, {"Sigmoid", "Tanh"}},
      [=](const Cell& cell, const States& s, const Tensor& x) { return gru_step(cell, s, x, reset_after); });
}

void emit_rnn(Call& c) {
  emit_layer(c, {1, {kInitialH}, {"Tanh"}}, [](const Cell& cell, const States& s, const Tensor& x) {
    Tensor z = cell.w.times(x);
    if (cell.has_bias()) z = z + (cell.b + cell.rb);
    return States{cell.f[0](cell.clipped(z + cell.r.times(s[0])))};
  });
}

}  // namespace

const OpTable& recurrent_ops() {
  static const OpTable ops = {
      {"LSTM", {emit_lstm, OpEntry::never}},
      {"GRU", {emit_gru, OpEntry::never}},
      {"RNN", {emit_rnn, OpEntry::never}},
  };
  return ops;
}

}  // namespace rondo::onnx
