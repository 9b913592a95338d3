// Every option of every cell against its equations in plain loops over doubles: outputs, and gradients
// against central differences of those loops.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <algorithm>
#include <cmath>

#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;
using Scalar = double (*)(double);

constexpr int kSteps = 4, kBatch = 2, kIn = 3, kHidden = 5;

double sigma(double a) { return 1 / (1 + std::exp(-a)); }
double tanh_of(double a) { return std::tanh(a); }
double soft(double a) { return a / (1 + std::abs(a)); }
double shifted(double a) { return 0.3 * a + 0.1; }
double squared(double a) { return a * a; }

Tensor soft(Tensor a) { return a / (1 + abs(a)); }
Tensor shifted(Tensor a) { return 0.3 * a + 0.1; }

/// x w for a row x, where w has x.size() rows.
Numbers times(const Numbers& x, const Numbers& w) {
  Numbers y(w.size() / x.size(), 0);
  for (size_t k = 0; k < x.size(); ++k)
    for (size_t j = 0; j < y.size(); ++j) y[j] += x[k] * w[k * y.size() + j];
  return y;
}

Numbers plus(Numbers a, const Numbers& b) {
  for (size_t j = 0; j < a.size(); ++j) a[j] += b[j];
  return a;
}

Numbers normalised(Numbers x, const Numbers& gain) {
  double mean = 0, variance = 0;
  for (double v : x) mean += v / static_cast<double>(x.size());
  for (double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
  for (size_t j = 0; j < x.size(); ++j) x[j] = gain[j] * (x[j] - mean) / std::sqrt(variance + 1e-5);
  return x;
}

double within(double x, double bound) { return bound > 0 ? std::clamp(x, -bound, bound) : x; }

/// The parameters by name, without "cell.".
struct Params {
  std::map<std::string, Numbers> values;

  bool has(const std::string& name) const { return values.contains(name); }
  const Numbers& operator[](const std::string& name) const { return values.at(name); }

  Numbers of_input(const Numbers& x) const {
    Numbers a = times(x, values.at("wx"));
    if (has("norm_x.gain")) a = normalised(a, values.at("norm_x.gain"));
    return has("b") ? plus(a, values.at("b")) : a;
  }
  Numbers of_hidden(const Numbers& h) const {
    Numbers a = times(h, values.at("wh"));
    if (has("norm_h.gain")) a = normalised(a, values.at("norm_h.gain"));
    return has("bh") ? plus(a, values.at("bh")) : a;
  }
};

/// A state of one row: h, and c if the cell has one.
using State = std::vector<Numbers>;
using Step = std::function<State(const Params&, const State&, const Numbers& x)>;

struct LstmScalars {
  Scalar i = sigma, f = sigma, g = tanh_of, o = sigma, h = tanh_of;
};

Step lstm_step(const LstmOptions& options, const LstmScalars& act) {
  return [=](const Params& p, const State& s, const Numbers& x) {
    const Numbers a = plus(p.of_input(x), p.of_hidden(s[0]));
    auto gate = [&](int block, Scalar f, int j, const char* peephole, const Numbers& c) {
      const double seen = p.has(peephole) ? p[peephole][j] * c[j] : 0;
      return f(within(a[block * kHidden + j] + seen, options.gates.clip));
    };
    const int g_block = options.coupled ? 1 : 2;
    Numbers c = s[1], h(kHidden);
    for (int j = 0; j < kHidden; ++j) {
      const double i = gate(0, act.i, j, "pi", s[1]);
      const double f = options.coupled ? 1 - i : gate(1, act.f, j, "pf", s[1]);
      c[j] = within(f * s[1][j] + i * gate(g_block, act.g, j, "none", s[1]), options.cell_clip);
    }
    const Numbers seen = p.has("norm_c.gain") ? plus(normalised(c, p["norm_c.gain"]), p["norm_c.bias"]) : c;
    for (int j = 0; j < kHidden; ++j) h[j] = gate(g_block + 1, act.o, j, "po", c) * act.h(seen[j]);
    return State{p.has("wp") ? times(h, p["wp"]) : h, c};
  };
}

struct GruScalars {
  Scalar r = sigma, z = sigma, n = tanh_of;
};

Step gru_step(Gru::Reset reset, double clip, const GruScalars& act) {
  return [=](const Params& p, const State& s, const Numbers& x) {
    const Numbers ax = p.of_input(x), ah = p.of_hidden(s[0]);
    Numbers r(kHidden), h(kHidden), reset_h(kHidden);
    for (int j = 0; j < kHidden; ++j) {
      r[j] = act.r(within(ax[j] + ah[j], clip));
      reset_h[j] = r[j] * s[0][j];
    }
    const Numbers after = p.of_hidden(reset_h);
    for (int j = 0; j < kHidden; ++j) {
      const int zj = kHidden + j, nj = 2 * kHidden + j;
      const double z = act.z(within(ax[zj] + ah[zj], clip));
      const double seen = reset == Gru::Reset::after ? r[j] * ah[nj] : after[nj];
      h[j] = z * s[0][j] + (1 - z) * act.n(within(ax[nj] + seen, clip));
    }
    return State{h};
  };
}

Step rnn_step(double clip, Scalar f) {
  return [=](const Params& p, const State& s, const Numbers& x) {
    Numbers h = plus(p.of_input(x), p.of_hidden(s[0]));
    for (double& a : h) a = f(within(a, clip));
    return State{h};
  };
}

/// All h [T,B,out], from states of zero.
Numbers outputs(const Step& step, const Params& p, const Numbers& xs, const State& zero) {
  Numbers hs;
  std::vector<State> states(kBatch, zero);
  for (int row = 0; row < kSteps * kBatch; ++row) {
    State& s = states[row % kBatch];
    s = step(p, s, Numbers(xs.begin() + row * kIn, xs.begin() + (row + 1) * kIn));
    hs.insert(hs.end(), s[0].begin(), s[0].end());
  }
  return hs;
}

/// The sum of the outputs, each with a weight of its own.
double weighted(const Numbers& hs) {
  const Numbers weights = numbers(hs.size(), 77);
  double total = 0;
  for (size_t i = 0; i < hs.size(); ++i) total += weights[i] * hs[i];
  return total;
}

/// Compares a cell with its equations: evaluated outputs, and gradients of compiled code with central
/// differences. `make` gives the cell, which it names "cell".
template <class Make>
void expect_equations(const Make& make, const Step& step) {
  Model model(f64);
  const auto cell = make(model);
  Params params;
  Weights weights;
  for (const Param& p : model.params()) {
    Numbers values = numbers(weights.get(p.name(), f64, p.shape()).count(), params.values.size() + 1);
    if (p.name().ends_with("gain"))
      for (double& v : values) v += 1;
    std::copy(values.begin(), values.end(), weights.at(p.name()).template as<double>().begin());
    params.values[p.name().substr(5)] = values;
  }
  const Function loss("loss", model, [&](Trace& t) {
    auto [last, hs] =
        OverTime<std::remove_const_t<decltype(cell)>>{cell}(cell.initial("B"), t.input("x", {"T", "B", kIn}));
    t.output("hs", hs);
    t.output("loss", sum(hs * t.input("weights", hs.shape())));
  });
  const Numbers xs = numbers(kSteps * kBatch * kIn, 5);
  const State zero{Numbers(cell.out, 0), Numbers(cell.hidden, 0)};
  const Numbers expected = outputs(step, params, xs, zero);
  Reference reference(loss, weights);
  reference.set("x", {kSteps, kBatch, kIn}, xs);
  reference.set("weights", {kSteps, kBatch, cell.out}, numbers(expected.size(), 77));
  reference.run();
  const Numbers& hs = reference.at("hs").data;
  ASSERT_EQ(hs.size(), expected.size());
  for (size_t i = 0; i < hs.size(); ++i) ASSERT_NEAR(hs[i], expected[i], 1e-13) << "output " << i;

  Program native = compile(gradient(loss), weights);
  native.resize({{"T", kSteps}, {"B", kBatch}});
  native.set("x", xs);
  native.set("weights", numbers(expected.size(), 77));
  native.run();
  for (const Param& p : model.params()) {
    Numbers& values = params.values[p.name().substr(5)];
    const std::span<double> d = native.f64("d_" + p.name());
    for (size_t i = 0; i < values.size(); ++i) {
      const double value = values[i], step_size = 2e-6;
      double difference = 0;
      for (double sign : {1, -1}) {
        values[i] = value + sign * step_size;
        difference += sign * weighted(outputs(step, params, xs, zero));
      }
      values[i] = value;
      ASSERT_NEAR(d[i], difference / (2 * step_size), 1e-8 * (1 + std::abs(d[i]))) << p.name() << " " << i;
    }
  }
}

void expect_lstm(const LstmOptions& options, const LstmScalars& act = {}) {
  expect_equations([&](Model& m) { return Lstm(m, "cell", kIn, kHidden, options); }, lstm_step(options, act));
}

void expect_gru(Gru::Reset reset, const GruOptions& options, const GruScalars& act = {}) {
  expect_equations([&](Model& m) { return Gru(m, "cell", kIn, kHidden, reset, options); },
                   gru_step(reset, options.gates.clip, act));
}

void expect_rnn(const CellOptions& options, Activation f, Scalar scalar) {
  expect_equations([&](Model& m) { return Rnn(m, "cell", kIn, kHidden, options, f); },
                   rnn_step(options.clip, scalar));
}

TEST(LstmOptions, None) { expect_lstm({}); }
TEST(LstmOptions, Biases) {
  expect_lstm({.gates = {.bias = false}});
  expect_lstm({.gates = {.hidden_bias = true}});
}
TEST(LstmOptions, Peepholes) { expect_lstm({.peepholes = true}); }
TEST(LstmOptions, Projection) { expect_lstm({.projection = 2}); }
TEST(LstmOptions, Coupled) { expect_lstm({.coupled = true}); }
TEST(LstmOptions, CellClip) { expect_lstm({.cell_clip = 0.3}); }
TEST(LstmOptions, Clip) { expect_lstm({.gates = {.clip = 0.4}}); }
TEST(LstmOptions, LayerNorm) { expect_lstm({.gates = {.layer_norm = true}}); }
TEST(LstmOptions, Activations) {
  const Activation soft_one = [](Tensor a) { return soft(a); },
                   shifted_one = [](Tensor a) { return shifted(a); };
  expect_lstm({.activations = {.i = shifted_one, .f = tanh, .g = soft_one, .o = square, .h = sigmoid}},
              {shifted, tanh_of, soft, squared, sigma});
}
TEST(LstmOptions, AllAtOnce) {
  expect_lstm({.gates = {.hidden_bias = true, .layer_norm = true, .clip = 0.9},
               .peepholes = true,
               .projection = 3,
               .cell_clip = 0.5});
  expect_lstm(
      {.gates = {.clip = 0.7}, .coupled = true, .peepholes = true, .projection = 6, .cell_clip = 0.4});
}

TEST(LstmOptions, TheFirstBiasOfCoupledGatesForgetsAsMuch) {
  Model m;
  Lstm lstm(m, "cell", 2, 2, {.coupled = true});
  EXPECT_EQ(array_of(m.init(1).at("cell.b")).data, (Numbers{-1, -1, 0, 0, 0, 0}));
}

TEST(GruOptions, BothForms) {
  const Activation soft_one = [](Tensor a) { return soft(a); };
  for (Gru::Reset reset : {Gru::Reset::before, Gru::Reset::after}) {
    expect_gru(reset, {});
    expect_gru(reset, {.gates = {.clip = 0.4}});
    expect_gru(reset, {.activations = {.r = tanh, .z = soft_one, .n = sigmoid}}, {tanh_of, soft, sigma});
  }
}
TEST(GruOptions, LayerNorm) { expect_gru(Gru::Reset::after, {.gates = {.layer_norm = true}}); }

TEST(RnnOptions, All) {
  expect_rnn(
      {}, [](Tensor a) { return soft(a); }, soft);
  expect_rnn({.hidden_bias = true, .clip = 0.5}, tanh, tanh_of);
  expect_rnn({.layer_norm = true}, sigmoid, sigma);
}

/// How many ops of each kind stand in the function.
std::map<ir::OpKind, int> ops_of(const Model& model, const std::function<void(Trace&, Tensor x)>& body) {
  const Function f("f", model, [&](Trace& t) { body(t, t.input("x", {"B", kIn})); });
  std::map<ir::OpKind, int> counts;
  for (const ir::Op& op : f.func.ops) ++counts[op.kind];
  return counts;
}

TEST(Options, CostNothingWhereTheyAreOff) {
  Model m;
  const Lstm lstm(m, "lstm", kIn, kHidden);
  const Gru gru(m, "gru", kIn, kHidden, Gru::Reset::after);
  const Rnn rnn(m, "rnn", kIn, kHidden);
  EXPECT_EQ(m.params().size(), 10u);
  EXPECT_EQ(ops_of(m, [&](Trace& t, Tensor x) { t.output("next", lstm(lstm.initial("B"), x)); }),
            ops_of(m, [&](Trace& t, Tensor x) {
              const Tensor h0 = zeros({"B", kHidden});
              auto [i, f, g, o] = split<4>(matmul(x, lstm.wx) + lstm.b + matmul(h0, lstm.wh), -1);
              const Tensor c = sigmoid(f) * h0 + sigmoid(i) * tanh(g);
              t.output("next", Lstm::State{sigmoid(o) * tanh(c), c});
            }));
  EXPECT_EQ(ops_of(m, [&](Trace& t, Tensor x) { t.output("next", gru(gru.initial("B"), x)); }),
            ops_of(m, [&](Trace& t, Tensor x) {
              const Tensor h0 = zeros({"B", kHidden});
              auto [xr, xz, xn] = split<3>(matmul(x, gru.wx) + gru.b, -1);
              auto [hr, hz, hn] = split<3>(matmul(h0, gru.wh) + gru.bh, -1);
              const Tensor z = sigmoid(xz + hz), n = tanh(xn + sigmoid(xr + hr) * hn);
              t.output("next", HiddenState{z * h0 + (1 - z) * n});
            }));
  EXPECT_EQ(ops_of(m, [&](Trace& t, Tensor x) { t.output("next", rnn(rnn.initial("B"), x)); }),
            ops_of(m, [&](Trace& t, Tensor x) {
              const Tensor h0 = zeros({"B", kHidden});
              t.output("next", HiddenState{tanh(matmul(x, rnn.wx) + rnn.b + matmul(h0, rnn.wh))});
            }));
}

/// One unit whose gates are set by its bias alone: i, f and o are 0 or 1 to the bit, g is tanh(1).
struct SetGates : Model {
  Lstm lstm{*this, "lstm", 1, 1};
  Lstm::State initial(const Dim& batch) const { return lstm.initial(batch); }
  std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor x) const {
    const Lstm::State next = lstm(s, x);
    return {next, next.c};
  }
};

/// c after each of 5 steps that start with c = 0.25.
std::vector<float> cells_with_gates(bool input, bool forget, float g) {
  const SetGates model;
  Weights weights = model.init(1);
  weights.at("lstm.wx").clear();
  weights.at("lstm.wh").clear();
  auto open = [](bool gate) { return gate ? 200.f : -200.f; };
  const float b[] = {open(input), open(forget), g, open(true)};
  std::copy(b, b + 4, weights.at("lstm.b").as<float>().begin());
  Program run = compile(run_function(model, {f32, {1}}), weights);
  run.resize({{"T", 5}, {"B", 1}});
  run.f32("state.1")[0] = 0.25f;
  run.run();
  const std::span<float> c = run.f32("y");
  return {c.begin(), c.end()};
}

TEST(LstmGates, FollowTheirTable) {
  const float g = cells_with_gates(true, false, 0.7f)[0];
  EXPECT_NEAR(g, std::tanh(0.7), 1e-6);
  EXPECT_EQ(cells_with_gates(false, true, 0.7f), std::vector<float>(5, 0.25f)) << "remember";
  EXPECT_EQ(cells_with_gates(false, false, 0.7f), std::vector<float>(5, 0)) << "erase";
  EXPECT_EQ(cells_with_gates(true, false, 0.7f), std::vector<float>(5, g)) << "overwrite";
  std::vector<float> sums;
  for (float c = 0.25f; sums.size() < 5;) sums.push_back(c += g);
  EXPECT_EQ(cells_with_gates(true, true, 0.7f), sums) << "add";
  EXPECT_EQ(cells_with_gates(true, true, 200), (std::vector<float>{1.25, 2.25, 3.25, 4.25, 5.25})) << "count";
}

}  // namespace
}  // namespace rondo::test
