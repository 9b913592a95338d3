// On random functions the evaluator, the interpreted loop program and the compiled code agree.
#include <gtest/gtest.h>

#include <array>

#include "codegen/compile.h"
#include "codegen/loops/interpreter.h"
#include "ir/arrays.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "tests/support/execute.h"
#include "tests/support/random_func.h"
#include "tests/support/together.h"

namespace rondo::test {
namespace {

// Sums in another order and own exp, tanh, log, over about ten ops that each enlarge an error by up to a
// factor of 8.
constexpr double kTolerance = 1e-10;

// Machine code takes a hundred times as long to make as a loop program, so that the quick tests compile the
// first functions only.
#ifdef RONDO_MANY_FUNCTIONS
constexpr uint64_t kCompiled = 1000;
#else
constexpr uint64_t kCompiled = 80;
#endif
constexpr uint64_t kAtOnce = 20;

/// How many threads a function is tried with, by its seed.
int64_t threads_of(uint64_t seed) { return std::array{2, 3, 7}[seed % 3]; }

/// A function with scans of windows, in all its forms.
void expect_windows(const ir::Func& windows, const RandomFunc& r, const std::vector<ir::Array>& expected,
                    uint64_t seed) {
  const auto shapes = ir::shapes_of(expected);
  codegen::CompileOptions options;
  options.threads = threads_of(seed);
  const ir::LoopProgram program = codegen::lower(windows), together = codegen::lower(windows, options);
  if (program.counts.empty()) return;
  SCOPED_TRACE(ir::print(windows) + to_string(together));
  const auto alone = codegen::interpret(program, r.inputs, shapes, r.dims);
  EXPECT_LT(ir::difference(alone, expected), kTolerance);
  EXPECT_EQ(ir::difference(codegen::interpret(together, r.inputs, shapes, r.dims), alone), 0);
  if (seed >= kCompiled) return;
  const auto native = execute(*codegen::compile(windows), r.inputs, shapes, r.dims);
  EXPECT_LT(ir::difference(native, expected), kTolerance);
  const Together both(windows, {}, threads_of(seed));
  EXPECT_EQ(ir::difference(execute(both, r.inputs, shapes, r.dims), native), 0);
}

class RandomFunctions : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomFunctions, MeanTheSameEverywhere) {
  for (uint64_t seed = GetParam(); seed < GetParam() + kAtOnce; ++seed) {
    const RandomFunc r = random_func(seed);
    const ir::Func func = passes::mask_lengths(r.func);  // lowering takes no lengths
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + ir::print(r.func));
    const auto expected = ir::evaluate(r.func, r.inputs, r.dims);
    const auto shapes = ir::shapes_of(expected);
    const ir::LoopProgram program = codegen::lower(func);
    EXPECT_LT(ir::difference(codegen::interpret(program, r.inputs, shapes, r.dims), expected), kTolerance)
        << to_string(program);
    codegen::CompileOptions options;
    options.threads = threads_of(seed);
    const ir::LoopProgram together = codegen::lower(func, options);
    EXPECT_EQ(ir::difference(codegen::interpret(together, r.inputs, shapes, r.dims),
                             codegen::interpret(program, r.inputs, shapes, r.dims)),
              0)
        << to_string(together);
    passes::Options few;
    few.window = 2, few.rows = 3;
    expect_windows(passes::recompute(func, few), r, expected, seed);
    expect_windows(passes::tile_outputs(func, few), r, expected, seed);
    expect_windows(passes::tile_time(func, few), r, expected, seed);
    expect_windows(passes::tile_rows(func, few), r, expected, seed);
    if (seed >= kCompiled) continue;
    const auto got = execute(*codegen::compile(func), r.inputs, shapes, r.dims);
    EXPECT_LT(ir::difference(got, expected), kTolerance) << to_string(program);
    const Together code(func, {}, threads_of(seed));
    EXPECT_EQ(ir::difference(execute(code, r.inputs, shapes, r.dims), got), 0) << to_string(together);
    passes::Options three;
    three.chunks = 3;
    const ir::Func linear = passes::linear_scan(func, three);
    if (to_string(codegen::lower(linear)).find("chunks") == std::string::npos) continue;
    EXPECT_LT(ir::difference(execute(*codegen::compile(linear), r.inputs, shapes, r.dims), expected),
              kTolerance)
        << ir::print(linear);
  }
}

const auto kSeeds = testing::Range<uint64_t>(0, 1000, kAtOnce);
#ifdef RONDO_MANY_FUNCTIONS
INSTANTIATE_TEST_SUITE_P(AllCompiled, RandomFunctions, kSeeds);
#else
INSTANTIATE_TEST_SUITE_P(Seeds, RandomFunctions, kSeeds);
#endif

}  // namespace
}  // namespace rondo::test
