#include "tools/bench/models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <utility>

#include "examples/own_cell/cells.h"
#include "rondo/rondo.h"
#include "tools/bench/cells.h"

namespace rondo::bench {
namespace {

/// Layers of one cell; with a vocabulary, between an embedding and an output layer.
template <class Cell>
struct Layers : Model {
  using State = std::vector<typename Cell::State>;
  std::vector<Cell> cells;
  Embedding embedding;
  Linear head;

  template <class Make>
  Layers(const Spec& spec, const Make& make) {
    if (spec.vocabulary > 0) embedding = Embedding(*this, "embedding", spec.vocabulary, spec.input_size());
    for (int64_t i = 0; i < spec.layers; ++i)
      cells.push_back(
          make(*this, fmt::format("layer{}", i), i == 0 ? spec.input_size() : spec.hidden, spec.hidden));
    if (spec.vocabulary > 0) head = Linear(*this, "head", spec.hidden, spec.vocabulary);
  }

  State initial(const Dim& batch) const {
    State state;
    for (const Cell& cell : cells) state.push_back(cell.initial(batch));
    return state;
  }
  std::pair<State, Tensor> step(State state, Tensor x) const {
    Tensor y = embedding.table.is_set() ? embedding(x) : x;
    for (size_t i = 0; i < cells.size(); ++i) state[i] = cells[i](state[i], y), y = state[i].h;
    return {state, head.w.is_set() ? head(y) : y};
  }
};

Function update_of(const Function& loss, const std::string& optimizer) {
  return optimizer == "sgd" ? training_function(loss, Sgd{}) : training_function(loss, Adam{});
}

bool trains_layers_alone(const Spec& spec) { return spec.mode == Mode::train && spec.vocabulary == 0; }

/// loss = sum of y_t dy_t: its gradients are those of layers whose output receives dy.
template <class M>
Function layers_loss(const M& model, const Spec& spec) {
  return Function("layers", model, [&](Trace& t) {
    const Dim batch = spec.batch;
    const Tensor x = t.input("x", {"T", batch, spec.input_size()}),
                 dy = t.input("dy", {"T", batch, spec.hidden});
    t.output("loss", sum(run(model, model.initial(batch), x).second * dy));
  });
}

template <class Cell, class Make>
Built build_with(const Spec& spec, const Make& make) {
  const Layers<Cell> model(spec, make);
  Built built;
  built.weights = model.init(1);
  const StepInput input = spec.vocabulary > 0 ? StepInput{i32, {}} : StepInput{f32, {spec.input_size()}};
  if (spec.mode != Mode::train) {
    built.forward = spec.mode == Mode::stream ? step_function(model, input) : run_function(model, input);
    built.function = built.forward;
    return built;
  }
  built.forward = trains_layers_alone(spec) ? layers_loss(model, spec)
                                            : loss_function(model, input, input, softmax_cross_entropy);
  built.update = update_of(built.forward, spec.optimizer);
  if (!trains_layers_alone(spec)) {
    built.function = built.update;
    return built;
  }
  std::vector<std::string> wrt = {"x"};
  for (const Param& p : model.params()) wrt.push_back(p.name());
  built.function = gradient(built.forward, {.wrt = wrt});
  return built;
}

/// For cells whose constructor takes sizes only.
template <class Cell>
Built build_own(const Spec& spec) {
  return build_with<Cell>(spec, [](Model& m, const std::string& name, int64_t in, int64_t hidden) {
    return Cell(m, name, in, hidden);
  });
}

/// Orthogonal matrices are slow to make, and as fast as any.
const CellOptions kGates{.hidden_init = init::glorot()};

Built build_lstm(const Spec& spec) {
  return build_with<Lstm>(spec, [](Model& m, const std::string& name, int64_t in, int64_t hidden) {
    return Lstm(m, name, in, hidden, {.gates = kGates});
  });
}

Built build_gru(const Spec& spec) {
  return build_with<Gru>(spec, [](Model& m, const std::string& name, int64_t in, int64_t hidden) {
    return Gru(m, name, in, hidden, Gru::Reset::after, {.gates = kGates});
  });
}

Built build_rnn(const Spec& spec) {
  return build_with<Rnn>(spec, [](Model& m, const std::string& name, int64_t in, int64_t hidden) {
    return Rnn(m, name, in, hidden, kGates);
  });
}

struct NamedCell {
  const char* name;
  Built (*build)(const Spec&);
};

const NamedCell kCells[] = {
    {"lstm", build_lstm},
    {"gru", build_gru},  // reset after the product
    {"rnn", build_rnn},
    {"own-lstm", build_own<OwnLstm>},
    {"own-gru", build_own<OwnGru>},
    {"own-rnn", build_own<OwnRnn>},
    {"peephole-lstm", build_own<own_cell::PeepholeLstm>},
    {"layer-norm-lstm", build_own<own_cell::LayerNormLstm>},
    {"mingru", build_own<own_cell::MinGru>},
    {"sru", build_own<own_cell::Sru>},
};

void check_sizes(const Spec& spec) {
  const std::pair<const char*, int64_t> sizes[] = {{"layers", spec.layers},
                                                   {"hidden", spec.hidden},
                                                   {"input", spec.input_size()},
                                                   {"batch", spec.batch},
                                                   {"steps", spec.steps}};
  for (const auto& [name, size] : sizes)
    if (size < 1) throw Error(fmt::format("bench: --{} {}: a size is at least 1", name, size));
  if (spec.vocabulary < 0)
    throw Error(fmt::format("bench: --vocabulary {}: a size, or 0 for none", spec.vocabulary));
  if (spec.optimizer != "adam" && spec.optimizer != "sgd")
    throw Error(fmt::format("bench: no optimizer {}; there are: adam, sgd", spec.optimizer));
}

}  // namespace

Mode parse_mode(const std::string& text) {
  static const std::map<std::string, Mode> modes = {
      {"stream", Mode::stream}, {"infer", Mode::infer}, {"train", Mode::train}};
  const auto found = modes.find(text);
  if (found == modes.end())
    throw Error(fmt::format("bench: no mode {}; there are: stream, infer, train", text));
  return found->second;
}

std::vector<std::string> cell_names() {
  std::vector<std::string> names;
  for (const NamedCell& cell : kCells) names.emplace_back(cell.name);
  return names;
}

ir::DimValues dims_to_bind(const Spec& spec) {
  return trains_layers_alone(spec) ? ir::DimValues() : ir::DimValues{{"B", spec.batch}};
}

Built build(const Spec& spec) {
  check_sizes(spec);
  const auto* cell = std::ranges::find(kCells, spec.cell, [](const NamedCell& c) { return c.name; });
  if (cell == std::end(kCells))
    throw Error(fmt::format("bench: no cell {}; there are: {}", spec.cell, fmt::join(cell_names(), ", ")));
  return cell->build(spec);
}

}  // namespace rondo::bench
