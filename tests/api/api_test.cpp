// Promises to users that hold from end to end: one program for all sizes, no allocation, checked ids, compile
// time without T.
#include <gtest/gtest.h>

#include <cmath>

#include "passes/passes.h"
#include "rondo/rondo.h"
#include "support/error.h"
#include "tests/runtime/count_allocations.h"

namespace rondo {
namespace {

constexpr int64_t kVocab = 11, kHidden = 20;

/// A language model of two layers of different kinds.
struct Speaker : Model {
  Embedding embed{*this, "embed", kVocab, 7};
  Lstm lower{*this, "lower", 7, kHidden};
  Gru upper{*this, "upper", kHidden, kHidden, Gru::Reset::after};
  Linear head{*this, "head", kHidden, kVocab};

  struct State {
    Lstm::State lower;
    Gru::State upper;
  };
  State initial(const Dim& batch) const { return {lower.initial(batch), upper.initial(batch)}; }
  std::pair<State, Tensor> step(State s, Tensor id) const {
    s.lower = lower(s.lower, embed(id));
    s.upper = upper(s.upper, s.lower.h);
    return {s, head(s.upper.h)};
  }
};

void fill_ids(std::span<int32_t> ids, uint32_t seed) {
  for (int32_t& id : ids) id = static_cast<int32_t>(((seed = seed * 1664525u + 1013904223u) >> 16) % kVocab);
}

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

Program training_program(const Speaker& model, const Weights& weights, BuildTimes* times = nullptr) {
  Function loss =
      loss_function(model, {}, {}, [](Tensor y, Tensor target) { return softmax_cross_entropy(y, target); });
  BuildOptions options;
  options.times = times;
  return compile_training(loss, Adam{.lr = 1e-2, .clip_norm = 5}, weights, options);
}

TEST(Api, OneProgramTakesAllSizesAndARowDoesNotDependOnItsBatch) {
  Speaker model;
  Weights weights = model.init(3);
  Program all = compile(run_function(model, {}), weights), one = compile(run_function(model, {}), weights);
  for (int64_t T : {1, 7, 50})
    for (int64_t B : {1, 3, 64}) {
      all.resize({{"T", T}, {"B", B}});
      all.reset();
      fill_ids(all.i32("x"), 5);
      all.run();
      const int64_t row = B / 2;
      one.resize({{"T", T}, {"B", 1}});
      one.reset();
      for (int64_t t = 0; t < T; ++t) one.i32("x")[t] = all.i32("x")[t * B + row];
      one.run();
      for (int64_t t = 0; t < T; ++t)
        for (int64_t v = 0; v < kVocab; ++v)
          ASSERT_EQ(all.f32("y")[(t * B + row) * kVocab + v], one.f32("y")[t * kVocab + v])
              << "T=" << T << " B=" << B << " t=" << t;
    }
}

TEST(Api, TrainingTakesAllSizesAndLearns) {
  Speaker model;
  Program train = training_program(model, model.init(4));
  for (int64_t T : {1, 7, 50})
    for (int64_t B : {1, 3, 64}) {
      train.resize({{"T", T}, {"B", B}});
      train.reset();
      fill_ids(train.i32("x"), 5);
      fill_ids(train.i32("target"), 5);
      float first = 0, last = 0;
      for (int update = 0; update < 12; ++update) {
        train.run();
        last = train.f32("loss")[0];
        if (update == 0) first = last;
      }
      EXPECT_TRUE(std::isfinite(last));
      EXPECT_LT(last, first) << "T=" << T << " B=" << B;
    }
}

TEST(Api, TheSteadyStateDoesNotAllocate) {
  Speaker model;
  Weights weights = model.init(5);
  Program train = training_program(model, weights), stream = compile(step_function(model, {}), weights);
  train.resize({{"T", 9}, {"B", 4}});
  stream.resize({{"B", 1}});
  train.run();
  stream.run();
  const int64_t before = testing::allocation_count();
  for (int i = 0; i < 5; ++i) {
    fill_ids(train.i32("x"), 7);
    train.run();
    stream.i32("x")[0] = i;
    stream.run();
  }
  EXPECT_EQ(testing::allocation_count(), before);
}

void expect_refused(Program& program, const std::string& input, int32_t id, const std::string& message) {
  program.i32(input)[4] = id;
  try {
    program.run();
    FAIL() << "ran with " << input << " = " << id;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(message), std::string::npos) << e.what();
  }
  program.i32(input)[4] = 0;
}

TEST(Api, IdsOutOfRangeAreRefusedWithTheirPlace) {
  Speaker model;
  Weights weights = model.init(6);
  Program train = training_program(model, weights);
  train.resize({{"T", 2}, {"B", 3}});
  const std::vector<float> untouched = copy(weights.at("head.w").as<float>());
  expect_refused(train, "x", kVocab, "x: 11 at [1,1] is outside [0,11)");
  expect_refused(train, "target", -1, "target: -1 at [1,1] is outside [0,11)");
  EXPECT_EQ(copy(weights.at("head.w").as<float>()), untouched);
}

size_t kernel_count(const std::vector<ir::Stmt>& stmts) {
  size_t count = 0;
  for (const ir::Stmt& s : stmts) count += s.loop ? kernel_count(s.loop->body) : 1;
  return count;
}

TEST(Api, TheCompiledProgramDoesNotGrowWithTime) {
  Speaker model;
  Function loss =
      loss_function(model, {}, {}, [](Tensor y, Tensor target) { return softmax_cross_entropy(y, target); });
  Function training = training_function(loss, Adam{});
  auto kernels = [&](int64_t T) {
    ir::Func func =
        passes::run_pipeline(passes::bind_dims(training.func, {{"T", T}, {"B", 2}}), training.pipeline);
    return kernel_count(codegen::lower(func).stmts);
  };
  EXPECT_EQ(kernels(10), kernels(1000));
}

TEST(Api, ProgramsOfOneModelShareItsWeights) {
  Speaker model;
  Weights weights = model.init(8);
  Program train = training_program(model, weights), stream = compile(step_function(model, {}), weights);
  stream.resize({{"B", 1}});
  stream.run();
  const std::vector<float> before = copy(stream.f32("y"));
  train.resize({{"T", 3}, {"B", 2}});
  train.run();
  stream.reset();
  stream.run();
  EXPECT_NE(copy(stream.f32("y")), before);
}

}  // namespace
}  // namespace rondo
