// Products of few terms, and of a few more: every form sums them in one order, so that however a program
// runs, it gives the same bits.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <algorithm>
#include <vector>

namespace rondo::test {
namespace {

constexpr int64_t kSteps = 3, kBatch = 21;

/// A cell of `units`, whose input and head have as many: narrow heads take no tiles.
struct Net : Model {
  Lstm cell;
  Linear head, narrow;
  explicit Net(int64_t units)
      : cell(*this, "cell", units, units),
        head(*this, "head", units, units),
        narrow(*this, "narrow", units, 2) {}
  Lstm::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor x) const {
    Lstm::State next = cell(s, x);
    return {next, concat({head(next.h), narrow(next.h)}, 1)};
  }
};

using Rows = std::vector<float>;

/// The inputs of row b at step t.
Rows input(int64_t units, int64_t t, int64_t b) {
  Rows x;
  auto seed = static_cast<uint32_t>(t * kBatch + b + 1);
  for (int64_t i = 0; i < units; ++i) {
    seed = seed * 1664525u + 1013904223u;
    x.push_back(static_cast<float>(seed >> 8) * 0x1p-23f - 1);
  }
  return x;
}

class ShortSums : public ::testing::TestWithParam<int64_t> {
 protected:
  Program program(const Function& function, BuildOptions options = {}) const {
    return compile(function, weights_, options);
  }
  Function steps() const { return step_function(net_, input_); }
  Function runs() const { return run_function(net_, input_); }

  /// The outputs of row 0 of `batch` after kSteps calls of one step.
  Rows stepped(Program program, int64_t batch) const {
    if (!program.signature().dims.empty()) program.resize({{"B", batch}});
    for (int64_t t = 0; t < kSteps; ++t) {
      fill(program, t, 1, batch);
      program.run();
    }
    return first_of(program, 0, batch);
  }

  /// The same of a run.
  Rows run(Program program, int64_t batch, int64_t steps = kSteps) const {
    program.resize({{"T", steps}});
    if (program.signature().dims.size() > 1) program.resize({{"B", batch}});
    fill(program, 0, steps, batch);
    program.run();
    return first_of(program, steps - 1, batch);
  }

  const int64_t units_ = GetParam();
  const StepInput input_{f32, {units_}};
  const Net net_{units_};
  const Weights weights_ = net_.init(1);

 private:
  void fill(Program& program, int64_t first, int64_t count, int64_t batch) const {
    auto at = program.f32("x").begin();
    for (int64_t t = first; t < first + count; ++t)
      for (int64_t b = 0; b < batch; ++b) at = std::ranges::copy(input(units_, t, b), at).out;
  }
  Rows first_of(Program& program, int64_t step, int64_t batch) const {
    const auto y = program.f32("y");
    return {y.begin() + step * batch * (units_ + 2), y.begin() + (step * batch + 1) * (units_ + 2)};
  }
};

/// One row of constant size, of a size known at the call, and with others in tiles; plain and packed; with
/// the inputs' products before the loop, and in it.
TEST_P(ShortSums, AreTheSameInAllForms) {
  const Rows bits = stepped(program(steps(), {.dims = {{"B", 1}}}), 1);
  for (const bool frozen : {false, true}) {
    EXPECT_EQ(run(program(runs(), {.dims = {{"B", 1}}, .frozen = frozen}), 1), bits) << frozen;
    EXPECT_EQ(run(program(runs(), {.dims = {{"B", kBatch}}, .frozen = frozen}), kBatch), bits) << frozen;
    for (const int64_t batch : {int64_t{1}, int64_t{5}, kBatch}) {
      EXPECT_EQ(stepped(program(steps(), {.frozen = frozen}), batch), bits) << batch << ' ' << frozen;
      EXPECT_EQ(run(program(runs(), {.frozen = frozen}), batch), bits) << batch << ' ' << frozen;
    }
  }
}

TEST_P(ShortSums, AreTheSameOnAllVectors) {
  const Rows bits = stepped(program(steps(), {.dims = {{"B", 1}}}), 1);
  for (const char* features : {"", "-avx512f", "-avx2,-avx512f"}) {  // without FMA no bits are promised
    EXPECT_EQ(stepped(program(steps(), {.dims = {{"B", 1}}, .features = features}), 1), bits) << features;
    EXPECT_EQ(run(program(runs(), {.features = features}), kBatch), bits) << features;
  }
}

TEST_P(ShortSums, AreTheSameInAllTilesAndThreads) {
  const Rows bits = stepped(program(steps(), {.dims = {{"B", 1}}}), 1);
  for (const char* schedule : {"tile=6x4,panel=1", "tile=3x2", "tile=12x2,panel=64"})
    EXPECT_EQ(run(program(runs(), {.schedule = schedule}), kBatch), bits) << schedule;
  // As much work as two threads share.
  EXPECT_EQ(run(program(runs(), {.threads = 2}), 64, 40), run(program(runs()), 64, 40));
}

INSTANTIATE_TEST_SUITE_P(OfTerms, ShortSums, ::testing::Values(3, 4, 8, 13, 16, 24, 31, 32, 33, 48));

}  // namespace
}  // namespace rondo::test
