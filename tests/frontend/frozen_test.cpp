// Programs of frozen weights: the bits of others, from copies that are made once.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <algorithm>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "tests/runtime/count_allocations.h"
#include "tests/runtime/util.h"
#include "tests/support/environment.h"

namespace rondo::test {
namespace {

struct Net : Model {
  Lstm cell;
  Linear head;
  Net() : cell(*this, "cell", 24, 80), head(*this, "head", 80, 96) {}
  Lstm::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor x) const {
    Lstm::State next = cell(s, x);
    return {next, head(next.h)};
  }
};

const StepInput kInput{f32, {24}};

std::vector<float> result(Program& program, int64_t steps, int64_t batch) {
  program.resize({{"T", steps}});
  if (program.signature().dims.size() > 1) program.resize({{"B", batch}});
  program.reset();
  uint32_t seed = 1;
  for (float& x : program.f32("x")) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<float>(seed >> 8) * 0x1p-23f - 1;
  }
  program.run();
  const std::span<float> y = program.f32("y");
  return {y.begin(), y.end()};
}

TEST(Frozen, GivesTheSameBits) {
  const Net model;
  const Weights weights = model.init(1);
  const Function function = run_function(model, kInput);
  for (const int64_t threads : {1, 2}) {
    Program plain = compile(function, weights, {.threads = threads}),
            frozen = compile(function, weights, {.threads = threads, .frozen = true});
    EXPECT_GT(frozen.executable().copies().size(), 0u);
    EXPECT_TRUE(plain.executable().copies().empty());
    for (const auto& [steps, batch] : {std::pair<int64_t, int64_t>(1, 1), {9, 1}, {5, 7}, {40, 48}})
      EXPECT_EQ(result(frozen, steps, batch), result(plain, steps, batch))
          << "threads " << threads << ", T = " << steps << ", B = " << batch;
  }
}

TEST(Frozen, BoundBatchesGiveTheSameBits) {
  const Net model;
  const Weights weights = model.init(2);
  const Function function = run_function(model, kInput);
  for (const int64_t batch : {1, 16}) {
    Program plain = compile(function, weights, {.dims = {{"B", batch}}}),
            frozen = compile(function, weights, {.dims = {{"B", batch}}, .frozen = true});
    for (Program* p : {&plain, &frozen}) {
      p->resize({{"T", 6}});
      std::ranges::fill(p->f32("x"), 0.25f);
      p->run();
    }
    EXPECT_TRUE(std::ranges::equal(plain.f32("y"), frozen.f32("y"))) << "B = " << batch;
  }
}

/// A step walks blocks of columns the other way than the one before.
TEST(Frozen, StepsGiveTheSameBits) {
  const Net model;
  const Weights weights = model.init(7);
  const Function function = step_function(model, kInput);
  Program plain = compile(function, weights, {.dims = {{"B", 1}}}),
          frozen = compile(function, weights, {.dims = {{"B", 1}}, .frozen = true});
  for (int step = 0; step < 5; ++step) {
    for (Program* p : {&plain, &frozen}) {
      std::ranges::fill(p->f32("x"), 0.25f * static_cast<float>(step) - 0.5f);
      p->run();
    }
    EXPECT_TRUE(std::ranges::equal(plain.f32("y"), frozen.f32("y"))) << "step " << step;
  }
}

struct Cell : Model {
  Lstm cell;
  explicit Cell(int64_t units) : cell(*this, "cell", 3, units) {}
  Lstm::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor x) const {
    Lstm::State next = cell(s, x);
    return {next, next.h};
  }
};

/// The host and, where that has them, shorter vectors and fewer registers.
std::vector<std::string> fused_cpus() {
  const codegen::Target host = codegen::target_for();
  return host.fma && host.triple.starts_with("x86_64") ? std::vector<std::string>{"", "x86-64-v3"}
                                                       : std::vector<std::string>{""};
}

/// Copies of sizes that are no whole vectors have zeros past the end, and blocks of two widths, of which the
/// narrow one is walked first or last.
/// A step of several rows has the products with input and state in one kernel, which reads copies of both
/// matrices rather than pack them at each call.
TEST(Frozen, StepsOfRowsReadCopiesOfBothMatrices) {
  struct Wide : Model {
    Lstm cell{*this, "cell", 304, 304};
    Lstm::State initial(Dim batch) const { return cell.initial(batch); }
    std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor x) const {
      const Lstm::State next = cell(s, x);
      return {next, next.h};
    }
  } model;
  const Weights weights = model.init(3);
  const Function step = step_function(model, {f32, {304}});
  Program plain = compile(step, weights, {.dims = {{"B", 16}}}),
          frozen = compile(step, weights, {.dims = {{"B", 16}}, .frozen = true});
  EXPECT_EQ(frozen.executable().copies().size(), 2u);
  for (Program* p : {&plain, &frozen}) {
    uint32_t seed = 5;
    for (float& x : p->f32("x"))
      x = static_cast<float>((seed = seed * 1664525u + 1013904223u) >> 8) * 0x1p-24f;
    for (int call = 0; call < 2; ++call) p->run();
  }
  EXPECT_TRUE(std::ranges::equal(frozen.f32("y"), plain.f32("y")));
}

TEST(Frozen, StepsOfAnySizeGiveTheSameBits) {
  for (const int64_t units : {5, 10, 12, 23, 28, 44, 57, 72, 90}) {
    const Cell model(units);
    const Weights weights = model.init(3);
    const Function function = step_function(model, {f32, {3}});
    Program plain = compile(function, weights);
    plain.resize({{"B", 1}});
    std::vector<Program> frozen;
    for (const std::string& cpu : fused_cpus())
      frozen.push_back(compile(function, weights, {.dims = {{"B", 1}}, .cpu = cpu, .frozen = true}));
    for (int step = 0; step < 4; ++step) {
      auto run = [&](Program& p) {
        std::ranges::fill(p.f32("x"), 0.5f * static_cast<float>(step) - 0.75f);
        p.run();
      };
      run(plain);
      for (Program& p : frozen) {
        EXPECT_FALSE(p.executable().copies().empty()) << units << " units";
        run(p);
        EXPECT_TRUE(std::ranges::equal(plain.f32("y"), p.f32("y"))) << units << " units, step " << step;
      }
    }
  }
}

/// What reads a weight at a call sees its changes at once, what reads a copy does not.
void expect_copies_until_frozen_again(const Function& function, Weights weights, BuildOptions options,
                                      int64_t steps, int64_t batch) {
  Program plain = compile(function, weights);
  options.frozen = true;
  Program frozen = compile(function, weights, options);
  const std::vector<float> before = result(frozen, steps, batch);
  EXPECT_EQ(result(plain, steps, batch), before);
  for (float& w : weights.at("cell.wh").as<float>()) w *= 2;
  const std::vector<float> after = result(plain, steps, batch);
  EXPECT_NE(after, before);
  EXPECT_EQ(result(frozen, steps, batch), before);
  frozen.freeze();
  EXPECT_EQ(result(frozen, steps, batch), after);
}

TEST(Frozen, SeesChangesOnceFrozenAgain) {
  const Net model;
  expect_copies_until_frozen_again(run_function(model, kInput), model.init(3), {}, 4, 16);
}

/// Calls that are long enough to be shared.
TEST(Frozen, ThreadsReadCopies) {
  const Net model;
  for (const int64_t threads : {2, 3})
    expect_copies_until_frozen_again(run_function(model, kInput), model.init(3), {.threads = threads}, 20,
                                     48);
}

struct Wide : Model {
  Lstm cell{*this, "cell", 24, 250};
  Lstm::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor x) const {
    Lstm::State next = cell(s, x);
    return {next, next.h};
  }
};

/// One row is shared by its columns, here in parts of two sizes: each thread has a copy for its own.
TEST(Frozen, ThreadsReadCopiesOfTheirColumns) {
  const Wide model;
  const Function function = run_function(model, kInput);
  for (const int64_t threads : {2, 3})
    expect_copies_until_frozen_again(function, model.init(7), {.dims = {{"B", 1}}, .threads = threads}, 30,
                                     1);
  const auto copies = [&](int64_t threads) {
    const BuildOptions options{.dims = {{"B", 1}}, .threads = threads, .frozen = true};
    return compile(function, model.init(7), options).executable().copies().size();
  };
  EXPECT_EQ(copies(2), copies(1) + 1);
}

TEST(Frozen, CopiesCountAsMemoryAndRunsAllocateNothing) {
  const Net model;
  const Weights weights = model.init(4);
  const Function function = run_function(model, kInput);
  Program frozen = compile(function, weights, {.frozen = true});
  size_t copies = 0;
  for (const size_t bytes : frozen.executable().copies()) copies += bytes;
  EXPECT_GE(frozen.memory_bytes(), copies);
  result(frozen, 3, 16);
  const int64_t count = testing::allocation_count();
  frozen.run();
  frozen.freeze();
  EXPECT_EQ(testing::allocation_count(), count);
}

TEST(Frozen, CodeFromTheCacheDoesTheSame) {
  const testing::TempDir dir;
  const Environment cache("RONDO_CACHE", dir.file("cache"));
  const Net model;
  const Weights weights = model.init(5);
  const Function function = run_function(model, kInput);
  BuildTimes plain, first, second;
  compile(function, weights, {.times = &plain});
  Program made = compile(function, weights, {.times = &first, .frozen = true}),
          found = compile(function, weights, {.times = &second, .frozen = true});
  EXPECT_FALSE(first.codegen.from_cache);  // though code for weights that change is there
  EXPECT_TRUE(second.codegen.from_cache);
  EXPECT_EQ(result(found, 5, 16), result(made, 5, 16));
}

TEST(Frozen, IsNotForTraining) {
  const Net model;
  const Function loss =
      loss_function(model, kInput, {f32, {96}}, [](Tensor y, Tensor goal) { return sum((y - goal) * y); });
  EXPECT_EQ(testing::error_of([&] { compile_training(loss, Sgd{}, model.init(6), {.frozen = true}); }),
            "rondo: loss.training: frozen, but it updates its weight `cell.wx`");
}

}  // namespace
}  // namespace rondo::test
