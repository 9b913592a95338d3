// Training steps of random cells: the loop program, whose sequences stand in the rows of others and share
// columns, agrees with the evaluator.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>

#include "codegen/compile.h"
#include "codegen/loops/interpreter.h"
#include "codegen/loops/plan_memory.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "tests/support/arrays.h"
#include "tests/support/environment.h"
#include "tests/support/execute.h"

namespace rondo::test {
namespace {

constexpr int kSeeds = 300;
constexpr int kCompiled = 20;  // each so many-th one is compiled as well
constexpr double kTolerance = 1e-10;

/// A scan over products of its inputs, with two to four gates, some with lengths, and the loss of what it
/// gives: as text.
class RandomCell {
 public:
  explicit RandomCell(uint64_t seed) : random_(seed) {}

  std::string text() {
    const int gates = 2 + below(3), wide = 4 * gates;
    const bool lengths = below(3) == 0;
    std::string text = fmt::format(R"(
func @cell(%x: f64[T,B,3], %dy: f64[T,B,4], %w: f64[3,{0}], %u: f64[4,{0}], %v: f64[4,4], %p: f64[4]{1}) -> (f64[]) {{
  %0 = const {{value=0}} : f64[B,4]
  %z = matmul %x, %w : f64[T,B,{0}]
  %hT, %cT, %hs = scan {2}consts(%u, %v, %p) carry(%h = %0, %c = %0) xs(%zt = %z) {{
    %zh = matmul %h, %u : f64[B,{0}]
    %zs = add %zt, %zh : f64[B,{0}]
    %pb = broadcast %p {{axes=[1]}} : f64[B,4]
)",
                                   wide, lengths ? ", %L: i32[B]" : "", lengths ? "lengths(%L) " : "");
    pool_ = {"%h", "%c", "%pb"};
    body_.clear();
    for (int g = 0; g < gates; ++g) gate(g);
    for (int i = 0; i < 8; ++i) grow();
    const std::string h = add("tanh " + late()), c = late();
    return text + body_ +
           fmt::format(R"(    yield carry({0}, {1}) ys({2})
  }} : f64[B,4], f64[B,4], f64[T,B,4]
  %l = mul %hs, %dy : f64[T,B,4]
  %loss = reduce_sum %l {{axes=[0,1,2]}} : f64[]
  return %loss
}}
)",
                       h, c, below(2) ? h : late());
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }

  std::string add(const std::string& op) {
    const std::string name = fmt::format("%a{}", pool_.size());
    body_ += fmt::format("    {} = {} : f64[B,4]\n", name, op);
    pool_.push_back(name);
    return name;
  }

  std::string any() { return pool_[static_cast<size_t>(below(static_cast<int>(pool_.size())))]; }
  std::string late() {
    const int n = static_cast<int>(pool_.size());
    return pool_[static_cast<size_t>(std::max(below(n), below(n)))];
  }

  /// Of the sum of both products, as an LSTM's, or of the two apart, as a GRU's candidate.
  void gate(int g) {
    auto part = [&](const char* of) {
      return add(fmt::format("slice {} {{axis=1, lo={}, hi={}}}", of, 4 * g, 4 * g + 4));
    };
    std::string z;
    if (below(3)) {
      z = part("%zs");
    } else {
      const std::string zt = part("%zt"), zh = part("%zh");
      z = add(fmt::format("add {}, {}", zt, add(fmt::format("mul {}, {}", zh, any()))));
    }
    add((below(2) ? "sigmoid " : "tanh ") + z);
  }

  void grow() {
    switch (below(6)) {
      case 0: return void(add("tanh " + late()));
      case 1: return void(add(fmt::format("add {}, {}", late(), any())));
      case 2: return void(add(fmt::format("sub {}, {}", late(), any())));
      case 3: return void(add(fmt::format("matmul {}, %v", late())));
      default: return void(add(fmt::format("mul {}, {}", late(), any())));
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> pool_;  // [B,4]
  std::string body_;
};

ir::LoopProgram without(const char* pass, const ir::Func& func) {
  const Environment skip("RONDO_SKIP", pass);
  return codegen::lower(func);
}

/// Of gradients by the cell's own matrices and vector.
std::string training_pipeline() {
  std::string pipeline(passes::kTraining);
  return pipeline.replace(pipeline.find(",grad,"), 6, ",grad{wrt=w|u|v|p},");
}

/// A random cell, what its gradients are, and what a pipeline made of them.
struct Training {
  std::string text;
  ir::DimValues dims;
  std::vector<ir::Array> inputs, want;
  ir::Func func;

  /// `rows`: the batch; `known`: bound before the pipeline runs.
  Training(int seed, int64_t rows, bool known, const std::string& pipeline)
      : text(RandomCell(static_cast<uint64_t>(seed)).text()), dims{{"T", seed % 5}, {"B", rows}} {
    const ir::Func loss = ir::parse(text);
    inputs = random_inputs(loss, dims, static_cast<uint64_t>(seed), 1 + seed % 5);
    want = ir::evaluate(passes::run_pipeline(loss, "grad{wrt=w|u|v|p}"), inputs, dims);
    func = passes::run_pipeline(known ? ir::replace_dims(loss, {{"B", rows}}) : loss, pipeline);
  }

  /// The loop programs for one thread and for several agree with the evaluator, and with each other to the
  /// bit.
  void expect_agreement(int64_t threads) const {
    const ir::LoopProgram program = codegen::lower(func);
    const std::vector<ir::Array> got = codegen::interpret(program, inputs, shapes_of(want), dims);
    ASSERT_LT(difference(got, want), kTolerance) << ir::print(func) << to_string(program);
    codegen::CompileOptions options;
    options.threads = threads;
    const ir::LoopProgram together = codegen::lower(func, options);
    ASSERT_EQ(difference(codegen::interpret(together, inputs, shapes_of(want), dims), got), 0)
        << to_string(together);
  }
};

TEST(TrainingFuzz, LoopProgramsAgreeWithTheEvaluator) {
  const std::string pipeline = training_pipeline();
  int nested = 0, shared = 0;
  for (int seed = 0; seed < kSeeds && !HasFailure(); ++seed) {
    const Training training(seed, 1 + seed % 3, false, pipeline);
    SCOPED_TRACE(fmt::format("seed {}\n{}", seed, training.text));
    training.expect_agreement(2 + seed % 2);
    auto bytes = [&](const ir::LoopProgram& p) { return codegen::scratch_bytes(p, {{"T", 16}, {"B", 2}}); };
    const int64_t all = bytes(codegen::lower(training.func));
    nested += all < bytes(without("nest-buffers", training.func));
    shared += all < bytes(without("share-columns", training.func));
  }
  EXPECT_GT(nested, kSeeds / 2);
  EXPECT_GT(shared, kSeeds / 10);
}

/// Blocks of rows, whose number is known or not and which they divide evenly or not.
TEST(TrainingFuzz, BlocksOfRowsAgreeWithTheEvaluator) {
  const std::string pipeline = training_pipeline() + ",tile-rows{rows=2}";
  int tiled = 0;
  for (int seed = 0; seed < kSeeds && !HasFailure(); ++seed) {
    const Training training(seed, 1 + seed % 6, seed % 4 < 3, pipeline);
    SCOPED_TRACE(fmt::format("seed {}\n{}", seed, training.text));
    tiled += ir::print(training.func).find("windows(window_") != std::string::npos;
    training.expect_agreement(2 + seed % 2);
    if (seed % kCompiled != 0) continue;
    const auto native =
        execute(*codegen::compile(training.func), training.inputs, shapes_of(training.want), training.dims);
    ASSERT_LT(difference(native, training.want), kTolerance) << ir::print(training.func);
  }
  EXPECT_GT(tiled, kSeeds / 2);
}

}  // namespace
}  // namespace rondo::test
