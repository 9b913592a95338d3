// Models as native programs: the same numbers as on the evaluator, step as run, any batch and length,
// training.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <algorithm>
#include <cmath>

#include "support/error.h"
#include "tests/frontend/models.h"
#include "tests/frontend/reference.h"
#include "tests/runtime/util.h"
#include "tests/support/environment.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

std::vector<int32_t> random_ids(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<int32_t> ids(n);
  for (int32_t& id : ids) id = static_cast<int32_t>(random.bits() % 5);
  return ids;
}

template <class M>
void expect_step_is_run(const M& model) {
  const Weights weights = model.init(3);
  Program run = compile(run_function(model, {}), weights), step = compile(step_function(model, {}), weights);
  for (auto [steps, batch] : {std::pair<int64_t, int64_t>(1, 1), {7, 3}, {50, 64}, {5, 1}}) {
    SCOPED_TRACE("T = " + std::to_string(steps) + ", B = " + std::to_string(batch));
    run.resize({{"T", steps}, {"B", batch}});
    step.resize({{"B", batch}});
    run.reset();
    step.reset();
    const std::vector<int32_t> ids = random_ids(steps * batch, steps);
    run.set("x", ids);
    run.run();
    const std::span<float> all = run.f32("y");
    for (int64_t t = 0; t < steps; ++t) {
      step.set("x", std::span(ids).subspan(t * batch, batch));
      step.run();
      const std::span<float> y = step.f32("y");
      for (size_t i = 0; i < y.size(); ++i)
        ASSERT_EQ(y[i], all[t * y.size() + i]) << "step " << t << ", element " << i;
    }
    const Weights last = step.state(), expected = run.state();
    for (const auto& [name, buffer] : last.all())
      EXPECT_EQ(array_of(buffer).data, array_of(expected.at(name)).data);
  }
}

TEST(Native, StepManyTimesIsRunOnceToTheBit) {
  expect_step_is_run(CellModel<Lstm>(f32, 5, [](Model& m) { return Lstm(m, "cell", 5, 24); }));
  expect_step_is_run(CellModel<Rnn>(f32, 5, [](Model& m) { return Rnn(m, "cell", 5, 24); }));
  expect_step_is_run(CellModel<Gru>(f32, 5, [](Model& m) { return Gru(m, "cell", 5, 24); }));
  expect_step_is_run(
      CellModel<Gru>(f32, 5, [](Model& m) { return Gru(m, "cell", 5, 24, Gru::Reset::after); }));
}

/// For one row, matrices in the first cache, in the second, and in columns that fill no whole block: packed
/// in the loop, in place in a step, and tiles where B is a name.
TEST(Native, OneRowIsTheSameInAllFormsToTheBit) {
  for (int64_t hidden : {24, 70, 96}) {
    SCOPED_TRACE("H = " + std::to_string(hidden));
    CellModel<Lstm> model(f32, 5, [&](Model& m) { return Lstm(m, "cell", 5, hidden); });
    const Weights weights = model.init(3);
    const BuildOptions one_row{.dims = {{"B", 1}}};
    Program named = compile(run_function(model, {}), weights);
    Program run = compile(run_function(model, {}), weights, one_row);
    Program step = compile(step_function(model, {}), weights, one_row);
    const std::vector<int32_t> ids = random_ids(6, 2);
    named.resize({{"T", 6}, {"B", 1}});
    run.resize({{"T", 6}});
    for (Program* p : {&named, &run}) {
      p->set("x", ids);
      p->run();
    }
    const std::span<float> all = run.f32("y"), expected = named.f32("y");
    EXPECT_TRUE(std::ranges::equal(all, expected));
    for (int64_t t = 0; t < 6; ++t) {
      step.set("x", std::span(ids).subspan(t, 1));
      step.run();
      EXPECT_TRUE(std::ranges::equal(step.f32("y"), all.subspan(t * 5, 5))) << "step " << t;
    }
  }
}

TEST(Native, OptionsKeepStepAndRunTheSame) {
  const LstmOptions variants[] = {
      {.gates = {.hidden_bias = true, .clip = 0.5}, .peepholes = true, .projection = 7, .cell_clip = 0.3},
      {.gates = {.layer_norm = true}},
      {.coupled = true, .activations = {.g = relu, .h = square}}};
  for (const LstmOptions& options : variants)
    expect_step_is_run(CellModel<Lstm>(f32, 5, [&](Model& m) { return Lstm(m, "cell", 5, 24, options); }));
  expect_step_is_run(CellModel<Gru>(f32, 5, [](Model& m) {
    return Gru(m, "cell", 5, 24, Gru::Reset::after, {.gates = {.layer_norm = true, .clip = 1}});
  }));
}

/// An LSTM over three numbers, whose gates and cell are normalised: deviations from a mean are stored in one
/// form and computed again where they are summed in another.
struct NormalisedLstm {
  using State = Lstm::State;
  int64_t out;
  Param wx, wh, gx, gh, gc;

  NormalisedLstm(Model& m, int64_t units)
      : out(units),
        wx(m.param("wx", {3, 4 * units})),
        wh(m.param("wh", {units, 4 * units})),
        gx(m.param("gx", {4 * units}, init::constant(0.9))),
        gh(m.param("gh", {4 * units}, init::constant(1.1))),
        gc(m.param("gc", {units}, init::constant(1.2))) {}

  static Tensor normalised(Tensor a, const Param& gain) {
    const Dim n = a.dim(-1);
    const Tensor centred = a - expand(mean(a, -1), -1, n);
    return centred * expand(rsqrt(mean(square(centred), -1) + 1e-5), -1, n) * gain;
  }
  State initial(Dim batch) const { return {zeros({batch, out}), zeros({batch, out})}; }
  State operator()(const State& s, Tensor x) const {
    auto [i, f, g, o] = split<4>(normalised(matmul(x, wx), gx) + normalised(matmul(s.h, wh), gh), -1);
    const Tensor c = sigmoid(f) * s.c + sigmoid(i) * tanh(g);
    return {sigmoid(o) * tanh(normalised(c, gc)), c};
  }
};

/// Of random rows of `width` numbers.
template <class M>
void expect_step_is_run(const M& model, const Weights& weights, int64_t width, int64_t batch) {
  constexpr int64_t kSteps = 6;
  const StepInput input{f32, {width}};
  Program run = compile(run_function(model, input), weights),
          step = compile(step_function(model, input), weights);
  run.resize({{"T", kSteps}, {"B", batch}});
  step.resize({{"B", batch}});
  Random random(4);
  const std::span<float> x = run.f32("x");
  for (float& v : x) v = static_cast<float>(random.normal());
  run.run();
  for (int64_t t = 0; t < kSteps; ++t) {
    step.set("x", x.subspan(t * batch * width, batch * width));
    step.run();
    const std::span<float> y = step.f32("y");
    EXPECT_TRUE(std::ranges::equal(y, run.f32("y").subspan(t * y.size(), y.size()))) << "step " << t;
  }
}

TEST(Native, NormsKeepStepAndRunTheSame) {
  for (int64_t units : {15, 16, 32}) {
    SCOPED_TRACE(units);
    CellModel<NormalisedLstm> model(f32, 5, [&](Model& m) { return NormalisedLstm(m, units); });
    expect_step_is_run(model, model.init(3), 3, 2);
  }
}

TEST(Native, NoStepsLeaveTheState) {
  CellModel<Lstm> model(f32, 5, [](Model& m) { return Lstm(m, "cell", 5, 24); });
  Program run = compile(run_function(model, {}), model.init(3));
  run.resize({{"T", 3}, {"B", 2}});
  run.set("x", random_ids(6, 1));
  run.run();
  const Numbers before = array_of(run.buffer("state.0")).data;
  run.resize({{"T", 0}});
  run.run();
  EXPECT_EQ(array_of(run.buffer("state.0")).data, before);
  EXPECT_NE(before[0], 0);
}

/// The largest difference between native and evaluated training over some updates, relative to the largest
/// weight.
template <class M, Optimizer O>
double training_difference(const M& model, const O& optimizer) {
  const Function loss = loss_function(model, {}, {}, softmax_cross_entropy);
  const Weights weights = model.init(4);
  Reference reference(training_function(loss, optimizer), weights);
  Program program = compile_training(loss, optimizer, weights);
  program.resize({{"T", 6}, {"B", 3}});
  for (int update = 0; update < 5; ++update) {
    const std::vector<int32_t> ids = random_ids(18, update), next = random_ids(18, 100 + update);
    program.set("x", ids);
    program.set("target", next);
    program.run();
    reference.set("x", {6, 3}, Numbers(ids.begin(), ids.end()));
    reference.set("target", {6, 3}, Numbers(next.begin(), next.end()));
    reference.run();
  }
  double largest = 0, difference = 0;
  for (const Param& p : model.params()) {
    const Numbers native = array_of(weights.at(p.name())).data, &expected = reference.at(p.name()).data;
    for (size_t i = 0; i < native.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      difference = std::max(difference, std::abs(native[i] - expected[i]));
    }
  }
  return difference / largest;
}

TEST(Native, TrainingFollowsTheEvaluator) {
  auto lstm = [](DType dtype) {
    return CellModel<Lstm>(dtype, 5, [](Model& m) { return Lstm(m, "cell", 5, 24); });
  };
  auto gru = [](DType dtype) {
    return CellModel<Gru>(dtype, 5, [](Model& m) { return Gru(m, "cell", 5, 24); });
  };
  EXPECT_LT(training_difference(lstm(f64), Adam{.lr = 0.01, .clip_norm = 1}), 1e-10);
  EXPECT_LT(training_difference(gru(f64), RmsProp{.lr = 0.01, .clip_value = 0.01}), 1e-10);
  EXPECT_LT(training_difference(lstm(f32), Sgd{.lr = 0.5, .momentum = 0.9}), 1e-5);
}

TEST(Native, GradientsAreOutputs) {
  CellModel<Gru> model(f64, 5, [](Model& m) { return Gru(m, "cell", 5, 24); });
  const Function function = gradient(loss_function(model, {}, {}, softmax_cross_entropy));
  const Weights weights = model.init(6);
  Program native = compile(function, weights);
  Reference reference(function, weights);
  const std::vector<int32_t> ids = random_ids(12, 1), next = random_ids(12, 2);
  native.resize({{"T", 4}, {"B", 3}});
  native.set("x", ids);
  native.set("target", next);
  native.run();
  reference.set("x", {4, 3}, Numbers(ids.begin(), ids.end()));
  reference.set("target", {4, 3}, Numbers(next.begin(), next.end()));
  reference.run();
  EXPECT_NEAR(native.f64("loss")[0], reference.scalar("loss"), 1e-14);
  for (const Param& p : model.params()) {
    const Numbers d = array_of(native.buffer("d_" + p.name())).data,
                  &expected = reference.at("d_" + p.name()).data;
    ASSERT_EQ(d.size(), expected.size());
    for (size_t i = 0; i < d.size(); ++i) EXPECT_NEAR(d[i], expected[i], 1e-14) << p.name();
  }
}

TEST(Native, LearnsAToyTask) {
  CellModel<Lstm> model(f32, 5, [](Model& m) { return Lstm(m, "cell", 5, 24); });
  const Weights weights = model.init(1);
  Program train =
      compile_training(loss_function(model, {}, {}, softmax_cross_entropy), Adam{.lr = 0.02}, weights);
  train.resize({{"T", 10}, {"B", 2}});
  std::vector<int32_t> ids(20), next(20);
  for (int t = 0; t < 10; ++t)
    for (int b = 0; b < 2; ++b) {
      ids[t * 2 + b] = t % 5;
      next[t * 2 + b] = (t + 1) % 5;
    }
  train.set("x", ids);
  train.set("target", next);
  for (int i = 0; i < 100; ++i) train.run();
  EXPECT_LT(train.f32("loss")[0], 0.02);
  // The weights are shared: the trained model writes the sequence it has learnt.
  Program generate = compile(generate_function(model), weights);
  generate.resize({{"P", 2}, {"N", 6}, {"B", 1}});
  generate.f32("temperature")[0] = 0;
  generate.set("prime", std::vector<int32_t>{3, 4});
  generate.run();
  const std::span<int32_t> written = generate.i32("ids");
  EXPECT_EQ(std::vector(written.begin(), written.end()), (std::vector<int32_t>{0, 1, 2, 3, 4, 0}));
}

TEST(Native, GenerateIsSeededAndFollowsTheEvaluator) {
  CellModel<Gru> model(f64, 5, [](Model& m) { return Gru(m, "cell", 5, 24); });
  const Weights weights = model.init(1);
  Program native = compile(generate_function(model), weights);
  Reference reference(generate_function(model), weights);
  auto draw = [&](int32_t seed) {
    native.resize({{"P", 1}, {"N", 40}, {"B", 2}});
    native.reset();
    native.set("prime", std::vector<int32_t>{1, 2});
    native.i32("seed")[0] = seed;
    native.run();
    return array_of(native.buffer("ids")).data;
  };
  const Numbers first = draw(1);
  EXPECT_EQ(draw(1), first);
  EXPECT_NE(draw(2), first);
  reference.set("prime", {1, 2}, {1, 2});
  reference.set("seed", {}, {1});
  reference.run({{"N", 40}, {"P", 1}, {"B", 2}});
  EXPECT_EQ(reference.at("ids").data, first);
}

TEST(Native, DimsBoundAtCompileTimeSpecialise) {
  CellModel<Rnn> model(f32, 5, [](Model& m) { return Rnn(m, "cell", 5, 24); });
  const Weights weights = model.init(1);
  Program any = compile(run_function(model, {}), weights);
  Program bound = compile(run_function(model, {}), weights, {.dims = {{"T", 4}, {"B", 2}}});
  any.resize({{"T", 4}, {"B", 2}});
  for (Program* p : {&any, &bound}) {
    p->set("x", random_ids(8, 1));
    p->run();
  }
  EXPECT_TRUE(bound.signature().dims.empty());
  EXPECT_EQ(array_of(bound.buffer("y")).data, array_of(any.buffer("y")).data);
}

TEST(Native, RefusesWeightsThatDoNotFit) {
  CellModel<Rnn> model(f32, 5, [](Model& m) { return Rnn(m, "cell", 5, 24); });
  auto refuse = [&](const Weights& weights) {
    try {
      compile(run_function(model, {}), weights);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  CellModel<Rnn> other(f64, 5, [](Model& m) { return Rnn(m, "cell", 5, 24); });
  EXPECT_EQ(refuse(other.init(1)),
            "rondo: run: parameter `cell.wx` is f32[5,24], and f64[5,24] in the weights");
  EXPECT_NE(refuse(Weights()).find("cell.wx"), std::string::npos);
}

TEST(Native, CompileTimesArePrinted) {
  CellModel<Rnn> model(f32, 5, [](Model& m) { return Rnn(m, "cell", 5, 24); });
  BuildTimes times;
  compile_training(loss_function(model, {}, {}, softmax_cross_entropy), Sgd{}, model.init(1),
                   {.times = &times});
  EXPECT_GT(times.passes, 0);
  EXPECT_GT(times.codegen.machine, 0);
  EXPECT_TRUE(to_string(times).starts_with("compiled in "));
  EXPECT_NE(to_string(times).find(", machine "), std::string::npos);
}

TEST(Native, CodeFromTheCacheIsTheSameTrainingStep) {
  const rondo::testing::TempDir dir;
  const Environment cache("RONDO_CACHE", dir.file("cache"));
  CellModel<Rnn> model(f32, 5, [](Model& m) { return Rnn(m, "cell", 5, 24); });
  auto train = [&](BuildTimes& times) {
    Weights weights = model.init(1);
    Program step = compile_training(loss_function(model, {}, {}, softmax_cross_entropy), Adam{}, weights,
                                    {.times = &times});
    step.resize({{"T", 6}, {"B", 3}});
    for (int update = 0; update < 3; ++update) step.run();
    return step.f32("loss")[0];
  };
  BuildTimes first, second;
  const float loss = train(first);
  EXPECT_EQ(train(second), loss);
  EXPECT_FALSE(first.codegen.from_cache);
  EXPECT_TRUE(second.codegen.from_cache);
  EXPECT_NE(to_string(second).find(", from the code cache "), std::string::npos);
}

/// A sum that starts at a learned value.
struct Sum : Model {
  Param start = param("start", {2}, init::constant(5));
  Sum() : Model(f64) {}
  Tensor initial(Dim batch) const { return expand(start, 0, batch); }
  std::pair<Tensor, Tensor> step(Tensor s, Tensor x) const { return {s + x, s + x}; }
};

TEST(Native, StateMayStartAtWhatIsLearned) {
  const Sum model;
  const StepInput x{f64, {2}};
  Program program =
      compile(gradient(loss_function(model, x, x, [](Tensor y, Tensor) { return sum(y); })), model.init(1));
  auto expect = [&](int64_t batch, double loss, double gradient) {
    program.resize({{"T", 1}, {"B", batch}});
    std::ranges::fill(program.f64("x"), 1.0);
    program.run();
    EXPECT_EQ(program.f64("loss")[0], loss);
    EXPECT_EQ(array_of(program.buffer("d_start")).data, Numbers(2, gradient));
  };
  expect(3, 3 * 2 * 6, 3);
  expect(3, 3 * 2 * 7, 0);  // goes on from the state that the last call left
  expect(1, 2 * 6, 1);      // a new batch starts anew
  program.reset();
  expect(1, 2 * 6, 1);
}

/// A leaky sum of what comes, which starts at what takes long to compute.
struct LeakySum : Model {
  Param start = param("start", {40}), keep = param("keep", {40}), gain = param("gain", {40});
  Tensor initial(Dim batch) const { return expand(tanh(sigmoid(start)), 0, batch); }
  std::pair<Tensor, Tensor> step(Tensor s, Tensor x) const {
    s = s * keep + x * gain;
    return {s, s};
  }
};

/// Which of two products is fused with their sum does not depend on where the state comes from.
TEST(Native, StartsKeepStepAndRunTheSame) {
  const LeakySum model;
  Weights weights = model.init(1);
  Random random(4);
  for (const char* name : {"start", "keep", "gain"})
    for (float& v : weights.at(name).as<float>()) v = static_cast<float>(random.normal());
  expect_step_is_run(model, weights, 40, 1);
}

}  // namespace
}  // namespace rondo::test
