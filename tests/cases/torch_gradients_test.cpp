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
  int64_t input, hidden, layers, steps;
  bool bias, batch_first, initial_state;
};

/// The cases with one direction, one length and no projection.
std::vector<Case> plain_cases(const std::filesystem::path& folder) {
  std::ifstream file(folder / "index.json");
  std::vector<Case> cases;
  for (const auto& c : nlohmann::json::parse(file)) {
    if (c["bidirectional"] || c["proj_size"] != 0 || !c["lengths"].is_null()) continue;
    cases.push_back({c["name"], c["kind"], c["nonlinearity"].is_null() ? "" : c["nonlinearity"], c["input"],
                     c["hidden"], c["layers"], c["T"], c["bias"], c["batch_first"], c["initial_state"]});
  }
  return cases;
}

/// The case's layers in the DSL; its parameters are in the same order as PyTorch's.
struct TorchModel : Model {
  std::vector<Gates> gates;
  Stack stack;

  TorchModel(const Case& c, DType dtype) : Model(dtype) {
    for (int64_t l = 0; l < c.layers; ++l) {
      const std::string name = fmt::format("l{}", l);
      const int64_t in = l ? c.hidden : c.input;
      const CellOptions options{.bias = c.bias, .hidden_bias = c.bias};
      if (c.kind == "LSTM") {
        add(Lstm(*this, name, in, c.hidden, LstmOptions{options, {}}));
      } else if (c.kind == "GRU") {
        add(Gru(*this, name, in, c.hidden, Gru::Reset::after, options));
      } else if (c.nonlinearity == "relu") {
        add(Rnn(*this, name, in, c.hidden, options, [](Tensor a) { return relu(a); }));
      } else {
        add(Rnn(*this, name, in, c.hidden, options));
      }
    }
  }

  template <class Cell>
  void add(const Cell& cell) {
    gates.push_back(cell);
    stack.layers.push_back(cell);
  }
};

/// What PyTorch calls the parameters of layer l, and the parameter of the DSL it is; matrices are transposed.
std::vector<std::pair<std::string, Param>> torch_params(const TorchModel& model) {
  std::vector<std::pair<std::string, Param>> pairs;
  for (size_t l = 0; l < model.gates.size(); ++l) {
    const Gates& g = model.gates[l];
    pairs.emplace_back(fmt::format("weight_ih_l{}", l), g.wx);
    pairs.emplace_back(fmt::format("weight_hh_l{}", l), g.wh);
    if (!g.b.is_set()) continue;
    pairs.emplace_back(fmt::format("bias_ih_l{}", l), g.b);
    pairs.emplace_back(fmt::format("bias_hh_l{}", l), g.bh);
  }
  return pairs;
}

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

/// loss = sum(y dy) + sum(hn dhn) + sum(cn dcn), and its gradients with respect to all inputs that the case
/// has.
Function with_gradients(const Case& c, const TorchModel& model) {
  const int states = c.kind == "LSTM" ? 2 : 1;
  std::vector<std::string> wrt{"x"};
  Function function(c.name, model, [&](Trace& t) {
    const Shape sequence = c.batch_first ? Shape{"N", "T"} : Shape{"T", "N"};
    auto of_sequence = [&](const std::string& name, int64_t width) {
      const Tensor x = t.input(name, {sequence[0], sequence[1], width});
      return c.batch_first ? transpose(x, {1, 0, 2}) : x;
    };
    const Shape shape{c.layers, "N", c.hidden};
    const Tensor x = of_sequence("x", c.input), dy = of_sequence("dy", c.hidden);
    Tensor initial[2], d_final[2];
    for (int s = 0; s < states; ++s) {
      const char* name = s ? "c0" : "h0";
      initial[s] = c.initial_state ? t.input(name, shape) : zeros(shape);
      if (c.initial_state) wrt.push_back(name);
      d_final[s] = t.input(s ? "dcn" : "dhn", shape);
    }
    Stack::State state(c.layers);
    for (int64_t l = 0; l < c.layers; ++l)
      for (int s = 0; s < states; ++s)
        state[l].push_back(reshape(slice(initial[s], 0, l, l + 1), {"N", c.hidden}));
    auto [last, y] = scan(state, x, [&](const Stack::State& s, Tensor x) { return model.stack(s, x); });
    Tensor loss = sum(y * dy);
    std::vector<Tensor> finals[2];
    for (int s = 0; s < states; ++s) {
      for (const Layer::State& layer : last) finals[s].push_back(layer[s]);
      loss = loss + sum(stack(finals[s], 0) * d_final[s]);
    }
    t.output("loss", loss);
    t.output("y", c.batch_first ? transpose(y, {1, 0, 2}) : y);
    for (int s = 0; s < states; ++s) t.output(s ? "cn" : "hn", stack(finals[s], 0));
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
  const size_t states = c.kind == "LSTM" ? 2 : 1;
  ASSERT_EQ(expected.size(), 2 + states + (c.initial_state ? states : 0));
  for (const auto& [name, param] : torch_params(model))
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
  for (const auto& [name, param] : torch_params(model))
    fill(weights.get(param.name(), model.dtype(), param.shape()),
         transposed(test::array_of(file.at("param." + name))));
  return weights;
}

constexpr const char* kInputs[] = {"x", "h0", "c0", "dy", "dhn", "dcn"};

TEST(TorchGradients, EvaluatedInF64) {
  const auto folder = testing::case_path("torch-gradients");
  RONDO_NEED_CASE(folder);
  const std::vector<Case> cases = plain_cases(folder);
  ASSERT_FALSE(cases.empty());
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Weights file = Weights::load((folder / (c.name + ".safetensors")).string());
    const TorchModel model(c, f64);
    Reference reference(with_gradients(c, model), weights_of(model, file));
    for (const char* name : kInputs)
      if (file.contains(name)) reference.set(name, file.at(name).shape(), test::array_of(file.at(name)).data);
    reference.run();
    compare(c, model, file, 1e-10, [&](const std::string& name) { return reference.at(name).data; });
  }
}

/// Compiles every case and compares what it gives. `tolerance` may depend on the number of steps.
void expect_compiled(DType dtype, const std::function<double(const Case&)>& tolerance) {
  const auto folder = testing::case_path("torch-gradients");
  RONDO_NEED_CASE(folder);
  for (const Case& c : plain_cases(folder)) {
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
