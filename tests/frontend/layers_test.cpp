// Layers against their equations, computed by hand in double.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "tests/frontend/models.h"
#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

constexpr int kIn = 3, kHidden = 2, kBatch = 2;

double sigma(double a) { return 1 / (1 + std::exp(-a)); }

/// Element [row, column] of x w, where w [n, width].
double dot(const Numbers& x, const ir::Array& w, int row, int column) {
  const int64_t n = w.shape[0], width = w.shape[1];
  double total = 0;
  for (int64_t k = 0; k < n; ++k) total += x[row * n + k] * w.data[k * width + column];
  return total;
}

/// A model of one cell with all its parameters random, one step on the evaluator, and what the equations need
/// to check it.
template <class Cell>
struct OneStep {
  explicit OneStep(const std::function<Cell(Model&)>& make) : cell(make(model)) {
    for (const Param& p : model.params()) {
      Buffer& buffer = weights.get(p.name(), f64, p.shape());
      const Numbers values = numbers(buffer.count(), buffer.count());
      std::copy(values.begin(), values.end(), buffer.as<double>().begin());
    }
    Function function("step", model, [&](Trace& t) {
      auto state = cell.initial("B");
      const char* names[] = {"s0", "s1"};
      const char** name = names;
      for_each_tensor(state, [&](Tensor& s) { s = t.input(*name++, s.shape()); });
      t.output("next", tensors_of(cell(state, t.input("x", {"B", kIn}))));
    });
    reference.emplace(function, weights);
    for (const char* name : {"s0", "s1"})
      reference->set(name, {kBatch, kHidden}, numbers(kBatch * kHidden, name[1]));
    reference->set("x", {kBatch, kIn}, numbers(kBatch * kIn, 9));
    reference->run();
  }

  const Numbers& at(const std::string& name) const { return reference->at(name).data; }
  /// x wx + b at one element.
  double input(int row, int column) const {
    return dot(at("x"), reference->at("cell.wx"), row, column) + (cell.b.is_set() ? at("cell.b")[column] : 0);
  }
  /// h wh + bh at one element, for the given h.
  double hidden(const Numbers& h, int row, int column) const {
    return dot(h, reference->at("cell.wh"), row, column) + (cell.bh.is_set() ? at("cell.bh")[column] : 0);
  }

  Model model{f64};
  Cell cell;
  Weights weights;
  std::optional<Reference> reference;
};

class Cells : public ::testing::TestWithParam<CellOptions> {};
INSTANTIATE_TEST_SUITE_P(Biases, Cells,
                         ::testing::Values(CellOptions{}, CellOptions{.bias = false},
                                           CellOptions{.hidden_bias = true}),
                         [](const auto& info) {
                           return !info.param.bias ? "none" : info.param.hidden_bias ? "two" : "one";
                         });

TEST_P(Cells, RnnFollowsItsEquation) {
  OneStep<Rnn> step([](Model& m) { return Rnn(m, "cell", kIn, kHidden, GetParam()); });
  for (int b = 0; b < kBatch; ++b)
    for (int j = 0; j < kHidden; ++j)
      EXPECT_NEAR(step.at("next.0")[b * kHidden + j],
                  std::tanh(step.input(b, j) + step.hidden(step.at("s0"), b, j)), 1e-14);
}

TEST_P(Cells, RnnTakesAnyActivation) {
  OneStep<Rnn> step(
      [](Model& m) { return Rnn(m, "cell", kIn, kHidden, GetParam(), [](Tensor a) { return relu(a); }); });
  for (int b = 0; b < kBatch; ++b)
    for (int j = 0; j < kHidden; ++j)
      EXPECT_NEAR(step.at("next.0")[b * kHidden + j],
                  std::max(0.0, step.input(b, j) + step.hidden(step.at("s0"), b, j)), 1e-14);
}

TEST(RnnWithoutOutputs, HasTheGradientOfItsLastStateWithAnyActivation) {
  for (const Activation& f : {Activation(rondo::tanh), Activation(relu), Activation(square)}) {
    Model m(f64);
    const Rnn rnn(m, "rnn", 3, 4, {.bias_init = init::uniform(0.5)}, f);
    const Function loss("loss", m, [&](Trace& t) {
      const HiddenState last = scan(rnn.initial("B"), t.input("x", {"T", "B", 3}), rnn);
      t.output("loss", sum(square(last.h)));
    });
    const GradientCheck check =
        check_gradients(loss, m.init(1), {.dims = {{"T", 5}, {"B", 2}}, .elements = 100});
    EXPECT_TRUE(check.passed()) << to_string(check);
    EXPECT_EQ(check.rows.size(), 3u);
  }
}

TEST_P(Cells, LstmFollowsItsEquations) {
  OneStep<Lstm> step(
      [](Model& m) { return Lstm(m, "cell", kIn, kHidden, {.gates = GetParam(), .forget_bias = {}}); });
  for (int b = 0; b < kBatch; ++b)
    for (int j = 0; j < kHidden; ++j) {
      auto gate = [&](int g) {
        return step.input(b, g * kHidden + j) + step.hidden(step.at("s0"), b, g * kHidden + j);
      };
      const double c = sigma(gate(1)) * step.at("s1")[b * kHidden + j] + sigma(gate(0)) * std::tanh(gate(2));
      EXPECT_NEAR(step.at("next.1")[b * kHidden + j], c, 1e-14);
      EXPECT_NEAR(step.at("next.0")[b * kHidden + j], sigma(gate(3)) * std::tanh(c), 1e-14);
    }
}

TEST_P(Cells, GruResetsBeforeTheProduct) {
  OneStep<Gru> step([](Model& m) { return Gru(m, "cell", kIn, kHidden, Gru::Reset::before, {GetParam()}); });
  const Numbers& h = step.at("s0");
  for (int b = 0; b < kBatch; ++b) {
    auto gate = [&](int g, int j) {
      return sigma(step.input(b, g * kHidden + j) + step.hidden(h, b, g * kHidden + j));
    };
    Numbers reset = h;
    for (int j = 0; j < kHidden; ++j) reset[b * kHidden + j] *= gate(0, j);
    for (int j = 0; j < kHidden; ++j) {
      const double z = gate(1, j),
                   n = std::tanh(step.input(b, 2 * kHidden + j) + step.hidden(reset, b, 2 * kHidden + j));
      EXPECT_NEAR(step.at("next.0")[b * kHidden + j], z * h[b * kHidden + j] + (1 - z) * n, 1e-14);
    }
  }
}

TEST_P(Cells, GruResetsAfterTheProduct) {
  OneStep<Gru> step([](Model& m) { return Gru(m, "cell", kIn, kHidden, Gru::Reset::after, {GetParam()}); });
  EXPECT_EQ(step.cell.bh.is_set(), GetParam().bias);
  const Numbers& h = step.at("s0");
  for (int b = 0; b < kBatch; ++b)
    for (int j = 0; j < kHidden; ++j) {
      auto gate = [&](int g) {
        return sigma(step.input(b, g * kHidden + j) + step.hidden(h, b, g * kHidden + j));
      };
      const double r = gate(0), z = gate(1);
      const double n = std::tanh(step.input(b, 2 * kHidden + j) + r * step.hidden(h, b, 2 * kHidden + j));
      EXPECT_NEAR(step.at("next.0")[b * kHidden + j], z * h[b * kHidden + j] + (1 - z) * n, 1e-14);
    }
}

TEST(Layers, AnIdAsInputIsAOneHotRow) {
  Model m(f64);
  Lstm lstm(m, "lstm", 4, kHidden);
  Function function("f", m, [&](Trace& t) {
    Tensor ids = t.input("ids", i32, {"B"});
    t.output("gathered", lstm(lstm.initial("B"), ids).h);
    t.output("rows", lstm(lstm.initial("B"), one_hot(ids, 4)).h);
  });
  Reference reference(function, m.init(1));
  reference.set("ids", {3}, {2, 0, 3});
  reference.run({{"B", 3}});
  EXPECT_EQ(reference.at("gathered").data, reference.at("rows").data);
}

TEST(Layers, LinearAndEmbedding) {
  Model m(f64);
  Embedding embed(m, "embed", 4, 3);
  Linear head(m, "head", 3, 2, true, init::normal(1)), plain(m, "plain", 3, 2, false);
  EXPECT_FALSE(plain.b.is_set());
  Function function("f", m, [&](Trace& t) { t.output("y", head(embed(t.input("ids", i32, {"T", "B"})))); });
  Weights weights = m.init(3);
  weights.at("head.b").as<double>()[1] = 0.5;
  Reference reference(function, weights);
  reference.set("ids", {1, 2}, {3, 1});
  reference.run();
  const ir::Array &table = reference.at("embed.table"), &w = reference.at("head.w");
  for (int b = 0; b < 2; ++b)
    for (int j = 0; j < 2; ++j)
      EXPECT_NEAR(reference.at("y").data[b * 2 + j], dot(table.data, w, b ? 1 : 3, j) + (j ? 0.5 : 0), 1e-14);
}

/// A character model of three layers of different kinds and sizes.
struct Tower : StackModel {
  Tower()
      : StackModel(f64, 2, 5, [](Model& m) -> std::vector<Layer> {
          return {Lstm(m, "a", 5, 4), Gru(m, "b", 4, 3), Rnn(m, "c", 3, 2)};
        }) {}
};

TEST(Programs, StepManyTimesIsRunOnce) {
  Tower model;
  Weights weights = model.init(5);
  const int steps = 6;
  Reference run(run_function(model, {}), weights), step(step_function(model, {}), weights);
  const Numbers ids{0, 3, 1, 4, 2, 2, 0, 1, 4, 3, 3, 0};
  run.set("x", {steps, 2}, ids);
  run.run({{"B", 2}});
  for (int s = 0; s < steps; ++s) {
    step.set("x", {2}, {ids[s * 2], ids[s * 2 + 1]});
    step.run({{"B", 2}});
    const Numbers& all = run.at("y").data;
    EXPECT_EQ(step.at("y").data, Numbers(all.begin() + s * 10, all.begin() + (s + 1) * 10)) << s;
  }
  for (const char* state : {"state.0", "state.1", "state.2", "state.3"})
    EXPECT_EQ(step.at(state).data, run.at(state).data);
}

TEST(Programs, GenerateAtTemperatureZeroFollowsTheLargestLogit) {
  Tower model;
  Weights weights = model.init(5);
  Reference generate(generate_function(model), weights), step(step_function(model, {}), weights);
  generate.set("temperature", {}, {0});
  generate.set("prime", {2, 1}, {3, 1});
  const ir::DimValues dims{{"B", 1}, {"N", 5}, {"P", 2}};
  generate.run(dims);
  Numbers first = generate.at("ids").data, expected;
  auto read = [&](double id) {
    step.set("x", {1}, {id});
    step.run({{"B", 1}});
    const Numbers& y = step.at("y").data;
    return static_cast<double>(std::max_element(y.begin(), y.end()) - y.begin());
  };
  double id = read(3);
  id = read(1);
  for (int i = 0; i < 8; ++i, id = read(id)) expected.push_back(id);
  // Without a prime, the next call goes on.
  generate.set("prime", {0, 1}, {});
  generate.run({{"B", 1}, {"N", 3}, {"P", 0}});
  const Numbers& second = generate.at("ids").data;
  first.insert(first.end(), second.begin(), second.end());
  EXPECT_EQ(first, expected);
}

TEST(Programs, SamplesFollowTheProbabilities) {
  Function function("sample", f64, [](Trace& t) {
    Tensor logits = log(t.input("p", {3}));
    auto [last, ids] = repeat(constant(0, Type{i32, {}}), "N", [&](Tensor count) {
      Tensor id = sample(expand(logits, 0, 1), t.input("temperature", {}), constant(7, Type{i32, {}}), count);
      return std::pair(count + 1, id);
    });
    t.output("ids", ids);
  });
  Reference reference(function, {});
  reference.set("p", {3}, {0.1, 0.3, 0.6});
  reference.set("temperature", {}, {1});
  const int n = 4000;
  reference.run({{"N", n}});
  double counts[3] = {};
  for (double id : reference.at("ids").data) counts[static_cast<int>(id)] += 1.0 / n;
  // Four standard deviations of a frequency.
  EXPECT_NEAR(counts[0], 0.1, 0.02);
  EXPECT_NEAR(counts[1], 0.3, 0.03);
  EXPECT_NEAR(counts[2], 0.6, 0.032);
}

TEST(Init, IsSeededAndDependsOnTheNameAlone) {
  Model one, two;
  one.param("a", {4, 4});
  two.param("b", {4, 4});
  two.param("a", {4, 4});
  auto values = [](const Weights& w) { return array_of(w.at("a")).data; };
  EXPECT_EQ(values(one.init(1)), values(two.init(1)));
  EXPECT_NE(values(one.init(1)), values(one.init(2)));
}

TEST(Init, NormalHasItsMoments) {
  Random random(11);
  const int n = 200000;
  double mean = 0, square = 0, fourth = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    mean += x / n;
    square += x * x / n;
    fourth += x * x * x * x / n;
  }
  EXPECT_NEAR(mean, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(square, 1, 4 * std::sqrt(2.0 / n));
  EXPECT_NEAR(fourth, 3, 4 * std::sqrt(96.0 / n));
}

TEST(Init, OrthogonalHasOrthonormalRowsOrColumns) {
  for (auto [rows, columns] : {std::pair(3, 5), std::pair(5, 3), std::pair(4, 4)}) {
    Random random(1);
    Numbers q(rows * columns);
    init::orthogonal()(random, {rows, columns}, q);
    const bool tall = rows > columns;
    const int n = std::min(rows, columns), width = std::max(rows, columns);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) {
        double total = 0;
        for (int k = 0; k < width; ++k)
          total += tall ? q[k * columns + i] * q[k * columns + j] : q[i * columns + k] * q[j * columns + k];
        EXPECT_NEAR(total, i == j, 1e-14);
      }
  }
}

TEST(Init, BlocksFillTheirOwnColumns) {
  Random random(1);
  Numbers out(8);
  init::blocks({init::constant(1), init::constant(2)})(random, {2, 4}, out);
  EXPECT_EQ(out, (Numbers{1, 1, 2, 2, 1, 1, 2, 2}));
}

TEST(Init, BoundsOfUniforms) {
  auto extremes = [](const Init& init, std::vector<int64_t> shape) {
    Random random(3);
    Numbers out(2000);
    init(random, shape, out);
    return std::pair(*std::min_element(out.begin(), out.end()), *std::max_element(out.begin(), out.end()));
  };
  auto expect = [&](const Init& init, std::vector<int64_t> shape, double a) {
    auto [lo, hi] = extremes(init, shape);
    EXPECT_GE(lo, -a);
    EXPECT_LT(hi, a);
    EXPECT_LT(lo, -0.99 * a);
    EXPECT_GT(hi, 0.99 * a);
  };
  expect(init::uniform(0.08), {2000}, 0.08);
  expect(init::glorot(), {20, 100}, std::sqrt(6.0 / 120));
  expect(init::fan_in(25), {20, 100}, 0.2);
}

TEST(Init, TheForgetGateStartsOpen) {
  Model m;
  Lstm lstm(m, "lstm", 2, 3);
  EXPECT_EQ(array_of(m.init(1).at("lstm.b")).data, (Numbers{0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace rondo::test
