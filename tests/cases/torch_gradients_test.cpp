// Recurrent layers against PyTorch: outputs and the gradients of inputs, initial states and parameters, in
// f64 and f32.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <rondo/rondo.h>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "passes/passes.h"
#include "tests/cases.h"
#include "tests/frontend/reference.h"

namespace rondo {
namespace {

using test::Reference;
using Numbers = std::vector<double>;

struct Case {
  std::string name, kind, nonlinearity;
  int64_t input, hidden, layers, projection, steps;
  bool bias, batch_first, bidirectional, initial_state;
  std::vector<int32_t> lengths;  // of the rows; empty if all are the same

  int64_t directions() const { return bidirectional ? 2 : 1; }
  int64_t out() const { return projection ? projection : hidden; }
  int states() const { return kind == "LSTM" ? 2 : 1; }
  const char* state(int s) const { return s ? "c" : "h"; }
};

std::vector<Case> cases_in(const std::filesystem::path& folder) {
  std::ifstream file(folder / "index.json");
  std::vector<Case> cases;
  for (const auto& c : nlohmann::json::parse(file)) {
    const auto lengths =
        c["lengths"].is_null() ? std::vector<int32_t>() : c["lengths"].get<std::vector<int32_t>>();
    cases.push_back({c["name"], c["kind"], c["nonlinearity"].is_null() ? "" : c["nonlinearity"], c["input"],
                     c["hidden"], c["layers"], c["proj_size"], c["T"], c["bias"], c["batch_first"],
                     c["bidirectional"], c["initial_state"], lengths});
  }
  return cases;
}

/// The case's layers in the DSL, and what PyTorch calls its parameters; its matrices are transposed.
struct TorchModel : Model {
  BatchFirst<SequenceStack> batch_first;
  std::vector<std::pair<std::string, Param>> params_of_torch;

  TorchModel(const Case& c, DType dtype) : Model(dtype) {
    const CellOptions gates{.bias = c.bias, .hidden_bias = c.bias};
    for (int64_t l = 0; l < c.layers; ++l) {
      const int64_t in = l ? c.out() * c.directions() : c.input;
      auto layer = [&](auto make) {
        auto forward = make(fmt::format("l{}", l), in);
        name_params(forward);
        if (!c.bidirectional) return batch_first.layer.layers.emplace_back(forward);
        auto backward = make(fmt::format("l{}_reverse", l), in);
        name_params(backward);
        return batch_first.layer.layers.emplace_back(Bidirectional(forward, backward));
      };
      if (c.kind == "LSTM") {
        layer([&](const std::string& name, int64_t in) {
          return Lstm(*this, name, in, c.hidden,
                      {.gates = gates, .forget_bias = {}, .projection = c.projection});
        });
      } else if (c.kind == "GRU") {
        layer([&](const std::string& name, int64_t in) {
          return Gru(*this, name, in, c.hidden, Gru::Reset::after, {gates});
        });
      } else {
        const Activation f = c.nonlinearity == "relu" ? relu : tanh;
        layer([&](const std::string& name, int64_t in) { return Rnn(*this, name, in, c.hidden, gates, f); });
      }
    }
  }

  void name_params(const Gates& g) {
    const std::string suffix = g.wx.name().substr(0, g.wx.name().find('.'));
    auto add = [&](const char* name, const Param& p) {
      if (p.is_set()) params_of_torch.emplace_back(fmt::format("{}_{}", name, suffix), p);
    };
    add("weight_ih", g.wx);
    add("weight_hh", g.wh);
    add("bias_ih", g.b);
    add("bias_hh", g.bh);
  }
  void name_params(const Lstm& lstm) {
    name_params(static_cast<const Gates&>(lstm));
    const std::string suffix = lstm.wx.name().substr(0, lstm.wx.name().find('.'));
    if (lstm.wp.is_set()) params_of_torch.emplace_back("weight_hr_" + suffix, lstm.wp);
  }
};

/// Row-major [n,m] as [m,n]; vectors as they are.
Numbers transposed(const ir::Array& a) {
  if (a.shape.size() < 2) return a.data;
  Numbers result(a.data.size());
  for (int64_t i = 0; i < a.shape[0]; ++i)
    for (int64_t j = 0; j < a.shape[1]; ++j) result[j * a.shape[0] + i] = a.data[i * a.shape[1] + j];
  return result;
}

void fill(Buffer& buffer, const Numbers& values) {
  ASSERT_EQ(static_cast<size_t>(buffer.count()), values.size());
  if (buffer.dtype() == f64) {
    std::copy(values.begin(), values.end(), buffer.as<double>().begin());
  } else {
    std::copy(values.begin(), values.end(), buffer.as<float>().begin());
  }
}

/// The initial states of all layers and directions, which PyTorch stacks: h0 [layers * directions, N, out].
SequenceStack::State unstacked(const Case& c, const std::vector<Tensor>& stacked) {
  SequenceStack::State state(c.layers);
  for (int64_t i = 0; i < c.layers * c.directions(); ++i)
    for (const Tensor& s : stacked)
      state[i / c.directions()].push_back(reshape(slice(s, 0, i, i + 1), {"N", s.dim(2)}));
  return state;
}

/// State s of all layers and directions, as PyTorch stacks it.
Tensor stacked(const Case& c, const SequenceStack::State& state, int s) {
  std::vector<Tensor> parts;
  for (const SequenceLayer::State& layer : state)
    for (size_t i = s; i < layer.size(); i += c.states()) parts.push_back(layer[i]);
  return stack(parts, 0);
}

/// loss = sum(y dy) + sum(hn dhn) + sum(cn dcn), and its gradients with respect to all inputs that the case
/// has.
Function with_gradients(const Case& c, const TorchModel& model) {
  std::vector<std::string> wrt{"x"};
  Function function(c.name, model, [&](Trace& t) {
    const Shape sequence = c.batch_first ? Shape{"N", "T"} : Shape{"T", "N"};
    auto of_sequence = [&](const std::string& name, int64_t width) {
      return t.input(name, {sequence[0], sequence[1], width});
    };
    const Tensor x = of_sequence("x", c.input), dy = of_sequence("dy", c.out() * c.directions());
    std::vector<Tensor> initial, d_final;
    for (int s = 0; s < c.states(); ++s) {
      const std::string name = c.state(s);
      const Shape shape{c.layers * c.directions(), "N", s ? c.hidden : c.out()};
      initial.push_back(c.initial_state ? t.input(name + "0", shape) : zeros(shape));
      if (c.initial_state) wrt.push_back(name + "0");
      d_final.push_back(t.input("d" + name + "n", shape));
    }
    ScanOptions options;
    if (!c.lengths.empty()) options.lengths = t.input("lengths", i32, {"N"});
    auto [last, y] = c.batch_first ? model.batch_first(unstacked(c, initial), x, options)
                                   : model.batch_first.layer(unstacked(c, initial), x, options);
    Tensor loss = sum(y * dy);
    for (int s = 0; s < c.states(); ++s) loss = loss + sum(stacked(c, last, s) * d_final[s]);
    t.output("loss", loss);
    t.output("y", y);
    for (int s = 0; s < c.states(); ++s) t.output(std::string(c.state(s)) + "n", stacked(c, last, s));
  });
  for (const Param& p : function.params) wrt.push_back(p.name());
  function.func = passes::grad(function.func, {.wrt = wrt});
  for (const std::string& name : wrt) function.outputs.push_back("d_" + name);
  return function;
}

/// Compares all that the case holds; `at` gives an output by name.
void compare(const Case& c, const TorchModel& model, const Weights& file, double tolerance,
             const std::function<Numbers(const std::string&)>& at) {
  std::map<std::string, Numbers> expected;
  for (const char* name : {"y", "hn", "cn"})
    if (file.contains(name)) expected[name] = test::array_of(file.at(name)).data;
  for (const char* name : {"x", "h0", "c0"})
    if (file.contains(std::string("grad_") + name))
      expected[std::string("d_") + name] = test::array_of(file.at(std::string("grad_") + name)).data;
  ASSERT_EQ(expected.size(), 2u + c.states() + (c.initial_state ? c.states() : 0));
  ASSERT_EQ(model.params_of_torch.size(), model.params().size());
  for (const auto& [name, param] : model.params_of_torch)
    expected["d_" + param.name()] = transposed(test::array_of(file.at("grad." + name)));
  double largest_gradient = 0;
  for (const auto& [name, values] : expected)
    if (name.starts_with("d_"))
      for (double v : values) largest_gradient = std::max(largest_gradient, std::abs(v));
  for (const auto& [name, values] : expected) {
    const Numbers actual = at(name);
    ASSERT_EQ(actual.size(), values.size()) << name;
    double scale = 0, error = 0;
    for (double v : values) scale = std::max(scale, std::abs(v));
    if (name.starts_with("d_")) scale = largest_gradient;
    for (size_t i = 0; i < values.size(); ++i) error = std::max(error, std::abs(actual[i] - values[i]));
    EXPECT_LE(error, tolerance * scale) << name;
  }
}

Weights weights_of(const TorchModel& model, const Weights& file) {
  Weights weights;
  for (const auto& [name, param] : model.params_of_torch)
    fill(weights.get(param.name(), model.dtype(), param.shape()),
         transposed(test::array_of(file.at("param." + name))));
  return weights;
}

constexpr const char* kInputs[] = {"x", "h0", "c0", "dy", "dhn", "dcn"};

TEST(TorchGradients, EvaluatedInF64) {
  const auto folder = testing::case_path("torch-gradients");
  RONDO_NEED_CASE(folder);
  const std::vector<Case> cases = cases_in(folder);
  ASSERT_EQ(cases.size(), 46u);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Weights file = Weights::load((folder / (c.name + ".safetensors")).string());
    const TorchModel model(c, f64);
    Reference reference(with_gradients(c, model), weights_of(model, file));
    for (const char* name : kInputs)
      if (file.contains(name)) reference.set(name, file.at(name).shape(), test::array_of(file.at(name)).data);
    if (!c.lengths.empty())
      reference.set("lengths", {static_cast<int64_t>(c.lengths.size())},
                    Numbers(c.lengths.begin(), c.lengths.end()));
    reference.run();
    compare(c, model, file, 1e-10, [&](const std::string& name) { return reference.at(name).data; });
  }
}

/// Compiles every case and compares what it gives. `tolerance` may depend on the number of steps.
void expect_compiled(DType dtype, const std::function<double(const Case&)>& tolerance) {
  const auto folder = testing::case_path("torch-gradients");
  RONDO_NEED_CASE(folder);
  for (const Case& c : cases_in(folder)) {
    SCOPED_TRACE(c.name);
    const Weights file = Weights::load((folder / (c.name + ".safetensors")).string());
    const TorchModel model(c, dtype);
    Program program = compile(with_gradients(c, model), weights_of(model, file));
    const std::vector<int64_t>& shape = file.at("dhn").shape();
    program.resize({{"T", c.steps}, {"N", shape[1]}});
    for (const char* name : kInputs) {
      if (!file.contains(name)) continue;
      Buffer buffer = program.buffer(name);
      fill(buffer, test::array_of(file.at(name)).data);
    }
    if (!c.lengths.empty()) program.set("lengths", c.lengths);
    program.run();
    compare(c, model, file, tolerance(c),
            [&](const std::string& name) { return test::array_of(program.buffer(name)).data; });
  }
}

TEST(TorchGradients, CompiledInF64) {
  expect_compiled(f64, [](const Case&) { return 1e-10; });
}

TEST(TorchGradients, CompiledInF32) {
  expect_compiled(f32, [](const Case& c) { return c.steps >= 200 ? 1e-3 : 1e-4; });
}

}  // namespace
}  // namespace rondo
