// Every pass, alone and in the default pipelines, on random functions and their gradients.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/arrays.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tests/support/random_func.h"

namespace rondo {
namespace {

using ir::Func;

constexpr uint64_t kSeeds = 200;

/// The results agree; `after` may have further ones.
void expect_same(const Func& before, const Func& after, const test::RandomFunc& f, std::string_view what) {
  ir::check(after, fmt::format("after {}", what));
  const std::string text = ir::print(ir::parse(ir::print(after)));  // equal ops are one
  EXPECT_EQ(ir::print(ir::parse(text)), text) << what;
  const auto want = ir::evaluate(before, f.inputs, f.dims);
  auto have = ir::evaluate(after, f.inputs, f.dims);
  ASSERT_GE(have.size(), want.size());
  have.resize(want.size());
  EXPECT_LT(ir::difference(have, want), 1e-9) << what << "\n" << ir::print(before) << ir::print(after);
}

/// The function with the sum of all its float results as its first result.
Func with_loss(const Func& func) {
  ir::Builder b(func.name);
  std::vector<ir::Value> params;
  for (ir::Value v : func.params) params.push_back(b.param(func.type(v), func.value_name(v)));
  std::vector<ir::Value> results = b.inline_func(func, params);
  ir::Value loss = b.scalar(DType::f64, 0);
  for (ir::Value v : results) {
    if (b.type(v).dtype != DType::f64) continue;
    std::vector<int64_t> axes;
    for (int64_t i = 0; i < b.type(v).rank(); ++i) axes.push_back(i);
    loss = b.add(loss, b.reduce_sum(v, axes));
  }
  results.insert(results.begin(), loss);
  return std::move(b).finish(std::move(results));
}

bool uses(const Func& func, ir::OpKind kind) {
  for (const ir::Op& op : func.ops)
    if (op.kind == kind || (op.body && uses(*op.body, kind))) return true;
  return false;
}

TEST(PassesFuzz, EachPassKeepsTheResults) {
  for (uint64_t seed = 0; seed < kSeeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    const test::RandomFunc f = test::random_func(seed, 20);
    for (const passes::Pass& pass : passes::all_passes()) {
      if (pass.name == "grad" || pass.name == "vjp") continue;  // below
      passes::Options options;
      options.window = 2, options.rows = 3;
      if (pass.name == "bind-dims") options.dims = f.dims;
      expect_same(f.func, pass.run(f.func, options), f, pass.name);
    }
    expect_same(f.func, passes::run_pipeline(f.func, passes::kInference), f, "inference");
  }
}

TEST(PassesFuzz, GradientsAgreeWithDifferencesAndWithThePipelines) {
  for (uint64_t seed = 0; seed < kSeeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    test::RandomFunc f = test::random_func(seed, 20);
    const Func loss = with_loss(f.func), derivative = passes::grad(loss);
    expect_same(loss, derivative, f, "grad");
    expect_same(derivative, passes::run_pipeline(loss, passes::kTraining), f, "training");
    const std::string windows = fmt::format("simplify,recompute{{window=2}},{}", passes::kTraining);
    expect_same(derivative, passes::run_pipeline(loss, windows), f, "training in windows");
    expect_same(derivative, passes::run_pipeline(derivative, "simplify,unroll-scan,simplify"), f, "unrolled");
    const std::string blocks =
        fmt::format("{},tile-outputs{{rows=3}},tile-sequences{{rows=3}}", passes::kTraining);
    expect_same(derivative, passes::run_pipeline(loss, blocks), f, "training in blocks of steps");
    const std::string rows = fmt::format("{},tile-rows{{rows=2}}", passes::kTraining);
    expect_same(derivative, passes::run_pipeline(loss, rows), f, "training in blocks of rows");
    // As numbers, dims are easily taken for each other.
    expect_same(derivative, passes::run_pipeline(ir::replace_dims(loss, f.dims), rows), f, "of so many rows");

    // Along a direction of alternating signs. Differences see through detach.
    if (uses(f.func, ir::OpKind::detach)) continue;
    const auto results = ir::evaluate(derivative, f.inputs, f.dims);
    double slope = 0;
    size_t next = loss.results.size();
    std::vector<ir::Array> direction = f.inputs;
    for (size_t i = 0; i < f.inputs.size(); ++i) {
      if (f.inputs[i].dtype != DType::f64) continue;
      const ir::Array& gradient = results.at(next++);
      for (size_t k = 0; k < gradient.data.size(); ++k) {
        direction[i].data[k] = (k + i) % 2 ? 1 : -0.7;
        slope += direction[i].data[k] * gradient.data[k];
      }
    }
    auto at = [&](double shift) {
      auto inputs = f.inputs;
      for (size_t i = 0; i < inputs.size(); ++i)
        for (size_t k = 0; inputs[i].dtype == DType::f64 && k < inputs[i].data.size(); ++k)
          inputs[i].data[k] += shift * direction[i].data[k];
      return ir::evaluate(loss, inputs, f.dims)[0].data[0];
    };
    const double h = 2e-5;  // fourth-order central difference
    const double difference = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    EXPECT_NEAR(slope, difference, 1e-6 * std::max(1.0, std::abs(difference))) << ir::print(loss);
  }
}

}  // namespace
}  // namespace rondo
