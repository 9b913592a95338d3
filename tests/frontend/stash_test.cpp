// Gradients whose stash has a budget: the same as without, within the memory that was promised.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <algorithm>
#include <cmath>

#include "ir/arrays.h"
#include "ir/evaluator.h"
#include "passes/passes.h"
#include "support/error.h"

namespace rondo::test {
namespace {

constexpr int64_t kIn = 3, kWords = 5;
const StepInput kFrame{f32, {kIn}};

/// Two cells and an output layer as one step.
struct Deep : Model {
  Lstm first{*this, "first", kIn, 8};
  Gru second{*this, "second", 8, 6};
  Linear head{*this, "head", 6, kWords};
  struct State {
    Lstm::State first;
    Gru::State second;
  };
  State initial(Dim batch) const { return {first.initial(batch), second.initial(batch)}; }
  std::pair<State, Tensor> step(State s, Tensor x) const {
    s.first = first(s.first, x);
    s.second = second(s.second, s.first.h);
    return {s, head(s.second.h)};
  }
};

/// Its loss, as a function of the first state as well.
Function deep_loss(const Deep& model) {
  return Function("deep", model, [&](Trace& t) {
    const Tensor h = t.input("h", {"B", 8}), c = t.input("c", {"B", 8}), g = t.input("g", {"B", 6});
    const Tensor x = t.input("x", {"T", "B", kIn});
    auto [last, ys] = run(model, Deep::State{{h, c}, {g}}, x);
    t.output("loss", softmax_cross_entropy(ys, t.input("target", i32, {"T", "B"})));
    t.output("last", last.second.h);
  });
}

const std::vector<std::string> kByEverything = {"first.wx", "first.wh", "first.b", "second.wx",
                                                "head.w",   "x",        "h",       "c"};

/// Whole sequences in both directions, layer after layer.
struct BothWays : Model {
  SequenceStack layers{{Bidirectional<Lstm>(*this, "low", kIn, 8), Bidirectional<Gru>(*this, "high", 8, 6)}};
  Linear head{*this, "head", 6, kWords};

  Function loss(bool with_lengths) const {
    return Function("both_ways", *this, [&](Trace& t) {
      const Tensor x = t.input("x", {"T", "B", kIn}), target = t.input("target", i32, {"T", "B"});
      if (!with_lengths)
        return t.output("loss", softmax_cross_entropy(head(layers(layers.initial("B"), x).second), target));
      const Tensor lengths = t.input("lengths", i32, {"B"});
      const Tensor ys = layers(layers.initial("B"), x, {.lengths = lengths}).second;
      t.output("loss", softmax_cross_entropy(head(ys), target, mask_of(lengths, "T")));
    });
  }
};

/// The budget's gradient in windows of so many steps, as the function that the evaluator runs.
ir::Func in_windows_of(const Function& gradient, int64_t longest) {
  return passes::bind_dims(gradient.in_windows->func, {{std::string(kLongestWindow), longest}});
}

/// The same outputs from the same random inputs, in f64.
void expect_same_in_windows(const Function& gradient, const ir::DimValues& dims) {
  const std::vector<ir::Array> inputs =
      ir::random_inputs(gradient.func, dims, 3, ir::ids_in_range(gradient.func, dims));
  const std::vector<ir::Array> want = ir::evaluate(gradient.func, inputs, dims);
  for (int64_t longest : {1, 2, 3, 100}) {
    const ir::Func windows = in_windows_of(gradient, longest);
    EXPECT_LT(ir::difference(ir::evaluate(windows, inputs, dims), want), 1e-10) << "windows of " << longest;
    const ir::Func optimized = passes::run_pipeline(windows, gradient.in_windows->pipeline);
    EXPECT_LT(ir::difference(ir::evaluate(optimized, inputs, dims), want), 1e-10)
        << "optimized, windows of " << longest;
  }
}

TEST(Stash, GradientsInWindowsAreTheSame) {
  const Deep model;
  const Function g = gradient(deep_loss(model), {.wrt = kByEverything, .stash_bytes = 1});
  for (int64_t steps : {1, 2, 5, 6}) expect_same_in_windows(g, {{"T", steps}, {"B", 2}});
}

TEST(Stash, GradientsOfSequenceLayersInWindowsAreTheSame) {
  const BothWays model;
  for (bool lengths : {false, true}) {
    SCOPED_TRACE(lengths ? "with lengths" : "");
    const Function g = gradient(model.loss(lengths), {.stash_bytes = 1});
    expect_same_in_windows(g, {{"T", 5}, {"B", 3}});
  }
}

/// Random inputs of a program; the same for the same dims.
void fill(Program& p) {
  Random random(5);
  for (const char* name : {"x", "h", "c", "g"})
    for (float& v : p.f32(name)) v = static_cast<float>(2 * random.uniform() - 1);
  for (int32_t& id : p.i32("target")) id = static_cast<int32_t>(random.bits() % kWords);
}

TEST(Stash, OnlySumsOverTimeAreRoundedInAnotherOrder) {
  const Deep model;
  const Weights weights = model.init(2);
  const Function g = gradient(deep_loss(model), {.wrt = kByEverything, .stash_bytes = 1});
  Function unlimited = g;
  unlimited.in_windows = nullptr;
  Program whole = compile(unlimited, weights), windows = compile(*g.in_windows, weights);
  for (auto [steps, batch, longest] :
       {std::tuple<int64_t, int64_t, int64_t>(0, 2, 4), {1, 1, 4}, {8, 1, 4}, {37, 3, 5}, {37, 17, 36}}) {
    SCOPED_TRACE(fmt::format("T = {}, B = {}, windows of {}", steps, batch, longest));
    whole.resize({{"T", steps}, {"B", batch}});
    windows.resize({{"T", steps}, {"B", batch}, {std::string(kLongestWindow), longest}});
    for (Program* p : {&whole, &windows}) {
      fill(*p);
      p->run();
    }
    for (const char* name : {"last", "d_x", "d_h", "d_c"}) {
      const std::span<float> a = whole.f32(name), b = windows.f32(name);
      EXPECT_TRUE(std::ranges::equal(a, b)) << name;
    }
    if (steps == 0) continue;  // the mean of nothing is no number
    for (const char* name : {"loss", "d_first.wx", "d_first.wh", "d_first.b", "d_second.wx", "d_head.w"}) {
      const std::span<float> a = whole.f32(name), b = windows.f32(name);
      for (size_t i = 0; i < a.size(); ++i)
        ASSERT_NEAR(a[i], b[i], 2e-6 * std::max(1.f, std::abs(a[i]))) << name << " at " << i;
    }
  }
}

/// One cell of 64 and an output layer.
struct Wide : Model {
  Lstm cell{*this, "cell", 4, 64};
  Linear head{*this, "head", 64, 20};
  Lstm::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<Lstm::State, Tensor> step(Lstm::State s, Tensor x) const {
    s = cell(s, x);
    return {s, head(s.h)};
  }
};

Program train_within(const Wide& model, const Weights& weights, int64_t bytes) {
  const StepInput frame{f32, {4}};
  return compile_training(loss_function(model, frame, {}, softmax_cross_entropy), Sgd{.lr = 0.1}, weights,
                          {.stash_bytes = bytes});
}

TEST(Stash, AHundredThousandStepsTakeNoMoreThanTheBudget) {
  constexpr int64_t kBudget = 64 << 20, kFixed = 4 << 20;
  const Wide model;
  Program p = train_within(model, model.init(1), kBudget);
  p.resize({{"T", 100000}, {"B", 1}});
  const size_t arguments = p.f32("x").size_bytes() + p.i32("target").size_bytes();
  EXPECT_LE(p.memory_bytes(), static_cast<size_t>(kBudget + kFixed) + arguments);
  const StashPlan plan = stash_plan(p);
  EXPECT_LE(plan.bytes, kBudget);
  EXPECT_GT(plan.whole_bytes, 3 * kBudget);
  EXPECT_GT(plan.window, 1);
  EXPECT_GT(plan.work, 1.2);
  EXPECT_LT(plan.work, 1.5);
  EXPECT_NE(to_string(plan).find("times the multiply-adds"), std::string::npos);

  p.resize({{"T", 100}, {"B", 2}});
  EXPECT_EQ(stash_plan(p).window, 0) << "what fits is not computed twice";
  EXPECT_EQ(stash_plan(p).work, 1);
}

TEST(Stash, ABudgetTrainsAsWellAsNone) {
  const Wide model;
  constexpr int64_t kSteps = 1000, kBudget = 1 << 20;
  std::vector<float> losses[2];
  for (int limited : {0, 1}) {
    const Weights weights = model.init(1);
    Program p = train_within(model, weights, limited ? kBudget : int64_t{1} << 40);
    p.resize({{"T", kSteps}, {"B", 1}});
    EXPECT_EQ(stash_plan(p).window > 0, limited);
    Random random(3);
    for (float& v : p.f32("x")) v = static_cast<float>(random.uniform());
    for (int32_t& id : p.i32("target")) id = static_cast<int32_t>(random.bits() % 20);
    for (int i = 0; i < 5; ++i) {
      p.run();
      losses[limited].push_back(p.f32("loss")[0]);
    }
  }
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(losses[0][i], losses[1][i], 1e-5);
  EXPECT_LT(losses[0][4], losses[0][0]);
}

TEST(Stash, ABudgetThatNothingFitsIsAnError) {
  const Wide model;
  Program p = train_within(model, model.init(1), 1000);
  try {
    p.resize({{"T", 100000}, {"B", 1}});
    FAIL();
  } catch (const Error& e) {
    const std::string text = e.what();
    EXPECT_TRUE(text.starts_with("rondo: loss.training: ")) << text;
    EXPECT_NE(text.find("T = 100000"), std::string::npos) << text;
    EXPECT_NE(text.find("stash_bytes of 1000 are not enough: it takes"), std::string::npos) << text;
  }
}

TEST(Stash, ABudgetIsOfStepsThatACallBinds) {
  const Wide model;
  const Weights weights = model.init(1);
  const Function loss = loss_function(model, {f32, {4}}, {}, softmax_cross_entropy);
  EXPECT_THROW(compile_training(loss, Sgd{}, weights, {.dims = {{"T", 9}}, .stash_bytes = 1 << 20}), Error);
  const Function step("step", model, [&](Trace& t) {
    t.output("loss", sum(model.step(model.initial("B"), t.input("x", {"B", 4})).second));
  });
  EXPECT_THROW(compile_training(step, Sgd{}, weights, {.stash_bytes = 1 << 20}), Error);
}

TEST(Stash, APlanIsOfAProgramWithABudget) {
  const Wide model;
  const Program p = train_within(model, model.init(1), 0);
  EXPECT_THROW(stash_plan(p), Error);
}

}  // namespace
}  // namespace rondo::test
