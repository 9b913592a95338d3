// The least times of kernels, at rates that count: one part costs 1, all others nothing.
#include "tools/bench/limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "codegen/compile.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tools/bench/measure.h"
#include "tools/bench/models.h"
#include "tools/bench/work.h"

namespace rondo::bench {
namespace {

using ir::ScalarOp;

/// Rates of a machine on which everything is free.
Rates free_of_cost() {
  return {.stream = [](ScalarOp) { return 0.0; },
          .latency = [](ScalarOp) { return 0.0; },
          .read = [](double) { return 0.0; }};
}

std::vector<KernelLimit> limits(const Spec& spec, const Rates& rates) {
  const Built built = build(spec);
  const ir::Func func = passes::run_pipeline(passes::bind_dims(built.function.func, build_options(spec).dims),
                                             built.function.pipeline);
  const codegen::CompileOptions how = code_options(built.function, func, build_options(spec));
  return limits_of(codegen::lower(func, how), codegen::target_for(), {{"T", spec.steps}, {"B", spec.batch}},
                   rates);
}

double sum(const std::vector<KernelLimit>& all, double KernelLimit::*part) {
  return std::accumulate(all.begin(), all.end(), 0.0,
                         [&](double s, const KernelLimit& l) { return s + l.*part; });
}

const KernelLimit& named(const std::vector<KernelLimit>& all, const std::string& end) {
  return *std::ranges::find_if(all, [&](const KernelLimit& l) { return l.name.ends_with(end); });
}

const Spec kInference{.mode = Mode::infer, .hidden = 96, .batch = 4, .steps = 7, .input = 32};

TEST(Limits, CountMultiplyAdds) {
  Rates rates = free_of_cost();
  rates.multiply_add = 1;
  EXPECT_EQ(sum(limits(kInference, rates), &KernelLimit::products), 7 * 4 * 4 * 96 * (32 + 96));
  Spec train = kInference;
  train.mode = Mode::train;
  const std::vector<KernelLimit> all = limits(train, rates);
  const double loss = 7 * 4 * 96;  // the sum of y dy
  EXPECT_EQ(sum(all, &KernelLimit::products), 3.0 * 7 * 4 * 4 * 96 * (32 + 96) + loss);
  EXPECT_EQ(sum(all, &KernelLimit::least), sum(all, &KernelLimit::products));
}

/// 5,000 columns are worked on in windows of rows, the last of which is shorter.
TEST(Limits, CountMultiplyAddsInWindows) {
  Rates rates = free_of_cost();
  rates.multiply_add = 1;
  const Spec spec{.mode = Mode::train, .hidden = 8, .batch = 5, .steps = 123, .vocabulary = 5000};
  const double head = 3.0 * 123 * 5 * 8 * 5000;
  const double all = sum(limits(spec, rates), &KernelLimit::products);
  EXPECT_GT(all, head);
  EXPECT_LT(all, 1.1 * head);
}

TEST(Limits, CountOperations) {
  for (const auto& [op, times] : {std::pair(ScalarOp::sigmoid, 3), {ScalarOp::tanh, 2}, {ScalarOp::log, 0}}) {
    Rates rates = free_of_cost();
    rates.stream = [op = op](ScalarOp asked) { return asked == op ? 1.0 : 0.0; };
    const std::vector<KernelLimit> all = limits(kInference, rates);
    EXPECT_EQ(sum(all, &KernelLimit::operations), times * 7 * 4 * 96);
    EXPECT_EQ(sum(all, &KernelLimit::least), times * 7 * 4 * 96);
  }
}

TEST(Limits, FollowTheLongestPath) {
  Rates rates = free_of_cost();
  rates.multiply_add_latency = 1;
  rates.latency = [](ScalarOp op) {
    return op == ScalarOp::tanh ? 100.0 : op == ScalarOp::sigmoid ? 10.0 : 0.0;
  };
  // A step waits for the sums over h, for the tanh of a gate, and for that of c.
  EXPECT_EQ(named(limits(kInference, rates), "mul21").chain, 7 * (96 + 200));
  Spec few = kInference;  // sums in halves
  few.hidden = 24;
  EXPECT_EQ(named(limits(few, rates), "mul21").chain, 7 * (12 + 200));
}

TEST(Limits, ReadWhatEachStepReadsFromTheCacheThatItFits) {
  Rates rates = free_of_cost();
  const double weights = 4 * 96 * 4 * 96;
  std::vector<double> sizes;
  rates.read = [&](double bytes) {
    sizes.push_back(bytes);
    return 1.0;
  };
  const double memory = named(limits(kInference, rates), "mul21").memory;
  EXPECT_GT(memory, 7 * weights);
  EXPECT_LT(memory, 7 * 1.2 * weights);
  EXPECT_TRUE(std::ranges::any_of(sizes, [&](double b) { return b > weights && b < 1.1 * weights; }));
}

/// 96 rows are at least 8 tiles: each reads the panel of its block of columns.
TEST(Limits, CountThePassesOfTiles) {
  const Spec spec{.mode = Mode::infer, .hidden = 256, .batch = 96, .steps = 2};
  const double panel_of = 4 * 256;  // bytes of a column
  double panels = 0, once = 0;
  Rates rates = free_of_cost();
  rates.read = [&](double bytes) { return bytes <= 64 * panel_of ? 1.0 : 0.0; };
  panels = named(limits(spec, rates), "mul21").memory;
  rates.read = [](double) { return 1.0; };
  once = named(limits(spec, rates), "mul21").memory;
  const double weights = 2 * 4 * 256 * 4 * 256;
  EXPECT_GT(panels, 7 * weights);   // at most 12 rows a tile
  EXPECT_LT(panels, 96 * weights);  // more than one
  EXPECT_GT(once, panels + weights);
}

TEST(Limits, CountWhatProductsPack) {
  Rates rates = free_of_cost();
  rates.read = [](double) { return 1.0 / 8; };  // of the bytes that an element's copy reads and writes
  const Spec spec{.mode = Mode::train, .hidden = 256, .batch = 64, .steps = 10};
  const std::vector<KernelLimit> all = limits(spec, rates);
  // All rows of the weights' gradient pass panels of 4 H columns; the other side is read in place.
  EXPECT_EQ(named(all, "d_layer0.wh").packing, 10 * 64 * 4 * 256);
  EXPECT_EQ(named(all, "pack").packing, 2 * 256 * 4 * 256);
  EXPECT_EQ(named(all, "pack").least, named(all, "pack").packing);
}

/// An LSTM multiplies all inputs at once, and reads the matrix of the state at each step.
TEST(LimitOfOneRow, TakesTheLongerOfComputingAndReadingForEachProduct) {
  Spec spec = kInference;
  spec.batch = 1;
  const Built built = build(spec);
  const ir::Func func = passes::run_pipeline(built.function.func, built.function.pipeline);
  const ir::DimValues dims = {{"T", 7}, {"B", 1}};
  const double of_inputs = 4 * 96 * 32, of_state = 4 * 96 * 96, never = 1e300;  // elements of the matrices
  EXPECT_EQ(seconds_of_one_row(func, dims, 1, never), 2 * 7 * (of_inputs + of_state));
  EXPECT_EQ(seconds_of_one_row(func, dims, never, 1), 4 * (of_inputs + 7 * of_state));
  // Computing takes longer for seven rows, reading for one.
  EXPECT_EQ(seconds_of_one_row(func, dims, 1, 1), 2 * 7 * of_inputs + 4 * 7 * of_state);
  EXPECT_EQ(step_weight_bytes(func, dims), 4 * of_state);

  spec.mode = Mode::stream;
  const Built step = build(spec);
  EXPECT_EQ(step_weight_bytes(passes::run_pipeline(step.function.func, step.function.pipeline), dims),
            4 * (of_inputs + of_state));
}

TEST(Rates, AreThereForAllThatKernelsDo) {
  const Rates rates = measured_rates(codegen::target_for());
  EXPECT_GT(rates.multiply_add, 0);
  EXPECT_GT(rates.multiply_add_latency, 0);
  for (ScalarOp op : {ScalarOp::add, ScalarOp::exp, ScalarOp::log, ScalarOp::tanh, ScalarOp::sigmoid,
                      ScalarOp::sqrt, ScalarOp::rsqrt, ScalarOp::cos, ScalarOp::div, ScalarOp::select}) {
    EXPECT_GT(rates.stream(op), 0);
    EXPECT_GT(rates.latency(op), 0);
    EXPECT_EQ(rates.latency(op), rates.latency(op));
  }
  EXPECT_GT(rates.read(1 << 20), 0);
}

}  // namespace
}  // namespace rondo::bench
