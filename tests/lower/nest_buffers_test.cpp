// Buffers in the rows of others, and columns that two have in common: what the arena saves, and that nothing
// is read after it is overwritten.
#include <gtest/gtest.h>

#include "codegen/compile.h"
#include "codegen/loops/interpreter.h"
#include "codegen/loops/plan_memory.h"
#include "ir/evaluator.h"
#include "ir/text.h"
#include "tests/support/arrays.h"
#include "tests/support/environment.h"

namespace rondo {
namespace {

using namespace ir;

/// A cell of two gates over products of the inputs, and the gradients of the gates backwards in time. `more`
/// stands after them and computes %dw.
std::string gated(const std::string& more) {
  return R"(
func @gated(%x: f64[T,B,3], %w: f64[3,8], %u: f64[4,8]) -> (f64[3,8]) {
  %0 = const {value=0} : f64[B,4]
  %z = matmul %x, %w : f64[T,B,8]
  %h, %hs, %f, %g = scan consts(%u) carry(%0 = %0) xs(%1 = %z) {
    %2 = matmul %0, %u : f64[B,8]
    %3 = add %1, %2 : f64[B,8]
    %4 = slice %3 {axis=1, lo=0, hi=4} : f64[B,4]
    %5 = slice %3 {axis=1, lo=4, hi=8} : f64[B,4]
    %6 = sigmoid %4 : f64[B,4]
    %7 = tanh %5 : f64[B,4]
    %8 = mul %6, %7 : f64[B,4]
    yield carry(%8) ys(%8, %6, %7)
  } : f64[B,4], f64[T,B,4], f64[T,B,4], f64[T,B,4]
  %d, %dz = scan reverse consts(%u) carry(%0 = %0) xs(%1 = %f, %2 = %g) {
    %3 = add %0, %1 : f64[B,4]
    %4 = mul %3, %1 : f64[B,4]
    %5 = mul %3, %2 : f64[B,4]
    %6 = concat %5, %4 {axis=1} : f64[B,8]
    %7 = matmul %6, %u {tb} : f64[B,4]
    yield carry(%7) ys(%6)
  } : f64[B,4], f64[T,B,8]
)" + more +
         "  return %dw\n}\n";
}

const std::string kGradient = "  %dw = matmul %x, %dz {ta} : f64[3,8]\n";
/// The gates are read once more when their gradients are all written.
const std::string kLateReader =
    "  %fg = concat %f, %g {axis=2} : f64[T,B,8]\n"
    "  %dg = mul %fg, %dz : f64[T,B,8]\n"
    "  %dw = matmul %x, %dg {ta} : f64[3,8]\n";

int64_t arena(const LoopProgram& p, int64_t T, int64_t B) {
  return codegen::scratch_bytes(p, {{"T", T}, {"B", B}});
}

LoopProgram without(const std::string& passes, const Func& func) {
  const test::Environment skip("RONDO_SKIP", passes);
  return codegen::lower(func);
}

void expect_same_as_evaluated(const Func& func) {
  for (int64_t T : {0, 1, 5})
    for (int64_t B : {1, 3}) {
      const DimValues dims = {{"T", T}, {"B", B}};
      const std::vector<Array> inputs = test::random_inputs(func, dims, 1),
                               want = evaluate(func, inputs, dims);
      const LoopProgram program = codegen::lower(func);
      EXPECT_LE(test::difference(codegen::interpret(program, inputs, test::shapes_of(want), dims), want),
                1e-13)
          << to_string(program);
    }
}

void expect_same_on_threads(const Func& func, const DimValues& dims) {
  codegen::CompileOptions options;
  options.threads = 3;
  const std::vector<Array> inputs = test::random_inputs(func, dims, 1), want = evaluate(func, inputs, dims);
  const LoopProgram program = codegen::lower(func, options);
  EXPECT_LE(test::difference(codegen::interpret(program, inputs, test::shapes_of(want), dims), want), 1e-13)
      << to_string(program);
}

TEST(NestBuffers, GatesStandInTheirProductsAndGradientsInTheGates) {
  const Func func = parse(gated(kGradient));
  const int64_t gates = 2 * 8 * 16 * 2 * 4;  // two, of f64[T,B,4]
  EXPECT_EQ(arena(codegen::lower(func), 16, 2), arena(without("nest-buffers", func), 16, 2) - gates)
      << to_string(codegen::lower(func));
  expect_same_as_evaluated(func);
}

TEST(NestBuffers, WhatIsReadLaterKeepsItsPlace) {
  const Func func = parse(gated(kLateReader));
  expect_same_as_evaluated(func);
}

TEST(NestBuffers, WhatEveryStepReadsKeepsItsPlace) {
  expect_same_as_evaluated(parse(R"(
func @attends(%x: f64[T,B,4], %w: f64[4,4]) -> (f64[4,4]) {
  %0 = const {value=0} : f64[B,4]
  %k = matmul %x, %w : f64[T,B,4]
  %h, %ys = scan consts(%k, %w) carry(%0 = %0) xs(%1 = %x) {
    %2 = tanh %k : f64[T,B,4]
    %3 = reduce_sum %2 {axes=[0]} : f64[B,4]
    %4 = matmul %3, %w : f64[B,4]
    %5 = add %4, %1 : f64[B,4]
    %6 = add %5, %0 : f64[B,4]
    yield carry(%6) ys(%5)
  } : f64[B,4], f64[T,B,4]
  %dw = matmul %x, %ys {ta} : f64[4,4]
  return %dw
}
)"));
}

TEST(NestBuffers, WhatASumReadsAtManyPointsKeepsItsPlace) {
  expect_same_as_evaluated(parse(R"(
func @sums(%x: f64[T,B,4], %w: f64[4,4]) -> (f64[4,4]) {
  %k = matmul %x, %w : f64[T,B,4]
  %z = matmul %k, %w : f64[T,B,4]
  %dw = matmul %x, %z {ta} : f64[4,4]
  return %dw
}
)"));
}

TEST(NestBuffers, WhatIsReadTransposedKeepsItsPlace) {
  expect_same_as_evaluated(parse(R"(
func @turns(%x: f64[T,4,4], %w: f64[4,4]) -> (f64[4,4]) {
  %k = matmul %x, %w : f64[T,4,4]
  %t = transpose %k {axes=[0,2,1]} : f64[T,4,4]
  %z = tanh %t : f64[T,4,4]
  %dw = matmul %x, %z {ta} : f64[4,4]
  return %dw
}
)"));
}

/// A cell without a product: two columns of one product are a gate and a candidate, and what becomes of the
/// gate, and the gradients of both, stand in it. Its loops run by points.
TEST(NestBuffers, LoopsByPointsStandInTheirProductsToo) {
  const Func func = parse(R"(
func @filter(%x: f64[T,B,3], %w: f64[3,8]) -> (f64[3,8]) {
  %0 = const {value=0} : f64[B,4]
  %z = matmul %x, %w : f64[T,B,8]
  %a = slice %z {axis=2, lo=0, hi=4} : f64[T,B,4]
  %s = sigmoid %a : f64[T,B,4]
  %h, %before = scan carry(%0) xs(%1 = %z, %2 = %s) {
    %3 = slice %1 {axis=1, lo=4, hi=8} : f64[B,4]
    %4 = mul %0, %2 : f64[B,4]
    %5 = add %4, %3 : f64[B,4]
    yield carry(%5) ys(%0)
  } : f64[B,4], f64[T,B,4]
  %d, %dz = scan reverse carry(%0) xs(%1 = %z, %2 = %s, %3 = %before) {
    %4 = slice %1 {axis=1, lo=4, hi=8} : f64[B,4]
    %5 = add %0, %4 : f64[B,4]
    %6 = mul %5, %3 : f64[B,4]
    %7 = mul %5, %2 : f64[B,4]
    %8 = concat %6, %5 {axis=1} : f64[B,8]
    yield carry(%7) ys(%8)
  } : f64[B,4], f64[T,B,8]
  %dw = matmul %x, %dz {ta} : f64[3,8]
  return %dw
}
)");
  const LoopProgram program = codegen::lower(func);
  int by_points = 0;
  for (const Stmt& s : program.stmts) by_points += s.loop && s.loop->by_points;
  EXPECT_EQ(by_points, 2) << to_string(program);
  const int64_t sequence = 16 * 2 * 4 * 8;  // bytes of f64[T,B,4]
  EXPECT_LE(arena(program, 16, 2), arena(without("nest-buffers", func), 16, 2) - 3 * sequence)
      << to_string(program);
  expect_same_as_evaluated(func);
}

/// All states have one step more than the products that they are made of. `late` is read after the loop.
std::string plain(const std::string& late) {
  return R"(
func @rnn(%x: f64[T,6,3], %w: f64[3,4], %u: f64[4,4], %h0: f64[6,4]) -> (f64[4,4]) {
  %z = matmul %x, %w : f64[T,6,4]
  %last, %h, %before = scan consts(%u) carry(%0 = %h0) xs(%1 = %z) {
    %2 = matmul %0, %u : f64[6,4]
    %3 = add %1, %2 : f64[6,4]
    %4 = tanh %3 : f64[6,4]
    yield carry(%4) ys(%4, %0)
  } : f64[6,4], f64[T,6,4], f64[T,6,4]
  %dw = matmul %before, )" +
         late + R"( {ta} : f64[4,4]
  return %dw
}
)";
}

TEST(NestBuffers, ProductsStandInTheStatesOfTheStepsThatReadThem) {
  const Func func = parse(plain("%h")), late = parse(plain("%z"));
  const int64_t sequence = 16 * 6 * 4 * 8;  // bytes of f64[T,6,4]
  EXPECT_EQ(arena(codegen::lower(func), 16, 6), arena(without("nest-buffers", func), 16, 6) - sequence)
      << to_string(codegen::lower(func));
  EXPECT_EQ(arena(codegen::lower(late), 16, 6), arena(without("nest-buffers", late), 16, 6))
      << to_string(codegen::lower(late));
  for (const Func& f : {func, late}) {
    expect_same_as_evaluated(f);
    expect_same_on_threads(f, {{"T", 4}});
  }
}

/// Gradients of two gates backwards in time. Those for the product with the state, which the loop itself sums
/// over, differ from those for the input's in the second gate. `gradients` computes %dw and %du.
std::string two_gradients(const std::string& gradients) {
  return R"(
func @reset(%x: f64[T,B,3], %h: f64[T,B,4], %f: f64[T,B,4], %g: f64[T,B,4], %w: f64[3,8], %u: f64[4,8]) -> (f64[3,8], f64[4,8]) {
  %0 = const {value=0} : f64[B,4]
  %d, %dx, %dh = scan reverse consts(%u) carry(%0 = %0) xs(%1 = %f, %2 = %g) {
    %3 = add %0, %1 : f64[B,4]
    %4 = mul %3, %1 : f64[B,4]
    %5 = mul %3, %2 : f64[B,4]
    %6 = concat %4, %5 {axis=1} : f64[B,8]
    %7 = mul %5, %1 : f64[B,4]
    %8 = concat %4, %7 {axis=1} : f64[B,8]
    %9 = matmul %8, %u {tb} : f64[B,4]
    yield carry(%9) ys(%6, %8)
  } : f64[B,4], f64[T,B,8], f64[T,B,8]
)" + gradients +
         "  return %dw, %du\n}\n";
}

const std::string kProducts =
    "  %dw = matmul %x, %dx {ta} : f64[3,8]\n"
    "  %du = matmul %h, %dh {ta} : f64[4,8]\n";
/// This one sums over the columns of the input's gradients.
const std::string kSumOfColumns =
    "  %gx = matmul %dx, %w {tb} : f64[T,B,3]\n"
    "  %dw = matmul %gx, %dx {ta} : f64[3,8]\n"
    "  %du = matmul %h, %dh {ta} : f64[4,8]\n";

constexpr int64_t kGate = 16 * 2 * 4 * 8;  // bytes of f64[T,B,4]

TEST(SharedColumns, StandInOneSequence) {
  const Func func = parse(two_gradients(kProducts));
  EXPECT_EQ(arena(without("nest-buffers", func), 16, 2),
            arena(without("nest-buffers,share-columns", func), 16, 2) - kGate);
  expect_same_as_evaluated(func);
}

TEST(SharedColumns, ARowThatTheLoopSumsOverLivesForAStep) {
  const Func func = parse(two_gradients(kSumOfColumns));
  const int64_t row = 2 * 8 * 8;
  EXPECT_EQ(arena(without("nest-buffers", func), 16, 2),
            arena(without("nest-buffers,share-columns", func), 16, 2) - kGate + row)
      << to_string(without("nest-buffers", func));
  expect_same_as_evaluated(func);
}

/// Two sequences share all columns, and a part of both has none.
TEST(SharedColumns, PartsMayHaveNoColumns) {
  expect_same_as_evaluated(parse(R"(
func @part(%x: f64[T,B,4], %e: f64[B,0], %w: f64[4,3]) -> (f64[T,B,3]) {
  %ys, %zs = scan consts(%e = %e) xs(%0 = %x) {
    %1 = tanh %0 : f64[B,4]
    %2 = concat %e, %1 {axis=1} : f64[B,4]
    %3 = concat %1, %e {axis=1} : f64[B,4]
    yield ys(%2, %3)
  } : f64[T,B,4], f64[T,B,4]
  %s = matmul %ys, %w : f64[T,B,3]
  %r = matmul %zs, %w : f64[T,B,3]
  %y = add %s, %r : f64[T,B,3]
  return %y
}
)"));
}

TEST(SharedColumns, SequencesMayHaveNoColumns) {
  expect_same_as_evaluated(parse(R"(
func @row(%x: f64[T,B,4], %e: f64[B,0], %w: f64[0,3]) -> (f64[T,B,3]) {
  %ys = scan consts(%e = %e) xs(%0 = %x) {
    %1 = slice %0 {axis=1, lo=0, hi=0} : f64[B,0]
    %2 = add %1, %e : f64[B,0]
    yield ys(%2)
  } : f64[T,B,0]
  %y = matmul %ys, %w : f64[T,B,3]
  return %y
}
)"));
}

TEST(NestBuffers, ManyThreadsReachNoElementOfOthers) {
  expect_same_on_threads(parse(gated(kGradient)), {{"T", 4}, {"B", 13}});
}

}  // namespace
}  // namespace rondo
