#include "runtime/training.h"

#include <cmath>
#include <csignal>
#include <limits>

#include <gtest/gtest.h>

#include "runtime/checkpoint.h"
#include "tests/runtime/fake.h"
#include "tests/runtime/util.h"

namespace rondo {
namespace {

using testing::error_of;
using testing::FakeExecutable;
using testing::TempDir;

/// One weight learns to predict x with momentum and a recurrent state: m' = 0.9 m + (w + h - x), w' = w - lr
/// m', h' = 0.5 h + 0.1 x.
std::shared_ptr<const Executable> toy() {
  Signature s;
  s.name = "toy";
  for (const char* name : {"w", "w.momentum", "h", "x", "lr"}) s.inputs.push_back({name, DType::f32, {}});
  for (const char* name : {"w1", "m1", "h1", "loss"}) s.outputs.push_back({name, DType::f32, {}});
  s.aliases = {{0, 0}, {1, 1}, {2, 2}};
  return std::make_shared<FakeExecutable>(s, [](void* const* args, const int64_t*, void*) {
    const auto value = [&](int i) -> float& { return *static_cast<float*>(args[i]); };
    const float error = value(0) + value(2) - value(3);
    value(8) = error * error;
    value(1) = 0.9f * value(1) + error;
    value(0) -= value(4) * value(1);
    value(2) = 0.5f * value(2) + 0.1f * value(3);
  });
}

struct ToyRun {
  Program program{toy(), {}, {.weights = {"w", "w.momentum"}, .state = {"h"}}};

  TrainingPlan plan(int64_t first, int64_t last) {
    return {.first = first, .last = last, .fill = [this](int64_t update) {
              program.f32("x")[0] = std::sin(static_cast<float>(update));
              program.f32("lr")[0] = 0.1f / static_cast<float>(1 + update / 10);
            }};
  }
  Checkpoint checkpoint() { return {.model = "toy", .weights = program.weights(), .state = program.state()}; }
};

TEST(Training, TheRateIsThatOfTheSchedule) {
  ToyRun run, same;
  TrainingPlan plan = run.plan(0, 5), scheduled = same.plan(0, 5);
  std::vector<float> rates;
  scheduled.rate = schedule::linear(0.5, 0.25, 4);
  scheduled.report = [&](int64_t, double, double) { rates.push_back(same.program.f32("lr")[0]); };
  train(same.program, scheduled);
  EXPECT_EQ(rates, (std::vector<float>{0.5f, 0.4375f, 0.375f, 0.3125f, 0.25f}));
  plan.fill = [&, fill = plan.fill](int64_t update) {
    fill(update);
    run.program.f32("lr")[0] = rates[update];
  };
  train(run.program, plan);
  EXPECT_EQ(run.program.f32("w")[0], same.program.f32("w")[0]);
}

TEST(Training, ResumesToTheSameBits) {
  TempDir dir;
  ToyRun whole;
  const TrainingResult expected = train(whole.program, whole.plan(0, 40));

  ToyRun first;
  TrainingPlan plan = first.plan(0, 17);
  plan.save = [&](int64_t done) {
    Checkpoint c = first.checkpoint();
    c.notes["updates"] = std::to_string(done);
    save_checkpoint(dir.file("c"), c);
  };
  train(first.program, plan);

  ToyRun second;
  Checkpoint c = second.checkpoint();
  load_checkpoint(dir.file("c"), c);
  const TrainingResult result = train(second.program, second.plan(std::stoll(c.notes.at("updates")), 40));
  EXPECT_EQ(result.updates_done, 40);
  EXPECT_EQ(result.loss, expected.loss);
  for (const char* name : {"w", "w.momentum", "h"})
    EXPECT_EQ(second.program.f32(name)[0], whole.program.f32(name)[0]) << name;
}

TEST(Training, ReportsAndSavesWhenItShould) {
  ToyRun run;
  TrainingPlan plan = run.plan(3, 11);
  plan.save_every = 4;
  std::vector<int64_t> saved, reported;
  std::vector<double> losses;
  double smoothed = 0;
  plan.save = [&](int64_t done) { saved.push_back(done); };
  plan.report = [&](int64_t done, double loss, double s) {
    reported.push_back(done);
    losses.push_back(loss);
    smoothed = s;
  };
  train(run.program, plan);
  EXPECT_EQ(saved, (std::vector<int64_t>{4, 8, 11}));
  EXPECT_EQ(reported, (std::vector<int64_t>{4, 5, 6, 7, 8, 9, 10, 11}));
  double expected = losses[0];
  for (size_t i = 1; i < losses.size(); ++i) expected = 0.95 * expected + 0.05 * losses[i];
  EXPECT_NEAR(smoothed, expected, 1e-12);
}

TEST(Training, StopsOnCtrlCWithACheckpoint) {
  ToyRun run;
  const Interrupt interrupt;
  TrainingPlan plan = run.plan(0, 1000);
  plan.interrupt = &interrupt;
  const auto fill = plan.fill;
  plan.fill = [&](int64_t update) {
    fill(update);
    if (update == 5) std::raise(SIGINT);
  };
  int64_t saved = 0;
  plan.save = [&](int64_t done) { saved = done; };
  const TrainingResult result = train(run.program, plan);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.updates_done, 6);
  EXPECT_EQ(saved, 6);
}

TEST(Training, StopsOnALossThatIsNoNumber) {
  ToyRun run;
  TrainingPlan plan = run.plan(0, 100);
  const auto fill = plan.fill;
  plan.fill = [&](int64_t update) {
    fill(update);
    if (update == 7) run.program.f32("x")[0] = std::numeric_limits<float>::infinity();
  };
  EXPECT_EQ(error_of([&] { train(run.program, plan); }),
            "the loss is infinite at update 8: training stops; no checkpoint was written before");
  run.program.reset();
  run.program.f32("w")[0] = run.program.f32("w.momentum")[0] = 0;
  plan.save_every = 3;
  int64_t saved = 0;
  plan.save = [&](int64_t done) { saved = done; };
  EXPECT_EQ(error_of([&] { train(run.program, plan); }),
            "the loss is infinite at update 8: training stops; the checkpoint of update 6 stays");
  EXPECT_EQ(saved, 6);
}

TEST(Training, NeverSavesAWeightThatIsNoNumber) {
  ToyRun run;
  TrainingPlan plan = run.plan(0, 4);
  plan.fill = [&](int64_t) {
    run.program.f32("x")[0] = 1;
    run.program.f32("lr")[0] =
        std::numeric_limits<float>::infinity();  // the first loss is finite, the weight after it is not
  };
  plan.save_every = 1;
  plan.save = [&](int64_t) { ADD_FAILURE() << "saved"; };
  EXPECT_EQ(error_of([&] { train(run.program, plan); }),
            "a weight is NaN or infinite at update 1: training stops; no checkpoint was written before");
}

TEST(Training, TheLossMustBeAScalar) {
  ToyRun run;
  TrainingPlan plan = run.plan(0, 1);
  plan.loss = "cost";
  EXPECT_NE(error_of([&] { train(run.program, plan); }).find("no input or output cost"), std::string::npos);
}

}  // namespace
}  // namespace rondo
