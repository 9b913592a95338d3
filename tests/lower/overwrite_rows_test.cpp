// Steps that overwrite the state which they multiply: which do, and that no bit depends on it.
#include "codegen/loops/overwrite_rows.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codegen/compile.h"
#include "codegen/kernels/schedule_gemm.h"
#include "codegen/loops/interpreter.h"
#include "ir/evaluator.h"
#include "ir/text.h"
#include "tests/support/arrays.h"
#include "tests/support/environment.h"
#include "tests/support/execute.h"

namespace rondo::test {
namespace {

using namespace ir;

using codegen::CompileOptions;
using Aliases = std::vector<Signature::Alias>;

const char* const kAvx512 = "x86-64-v4";
const char* const kAvx2 = "x86-64-v3";

/// A state of `units`, of which the first `read` are multiplied, and so many gates, which are multiplied by
/// each other and added to the state.
std::string cell(int64_t units, int64_t gates, int64_t read, const std::string& dtype = "f32") {
  const std::string row = fmt::format("{}[1,{}]", dtype, units);
  const std::string sums = fmt::format("{}[1,{}]", dtype, units * gates);
  std::string text = fmt::format("func @cell(%h: {}, %x: {}, %w: {}[{},{}]) -> ({}) {{\n", row, row, dtype,
                                 read, units * gates, row);
  text += fmt::format("  %r = slice %h {{axis=1, lo=0, hi={}}} : {}[1,{}]\n", read, dtype, read);
  text +=
      fmt::format("  %z = matmul {}, %w : {}\n  %0 = tanh %x : {}\n", read < units ? "%r" : "%h", sums, row);
  for (int64_t g = 0; g < gates; ++g) {
    text +=
        fmt::format("  %s{} = slice %z {{axis=1, lo={}, hi={}}} : {}\n", g, g * units, (g + 1) * units, row);
    text += fmt::format("  %t{0} = tanh %s{0} : {1}\n  %{2} = mul %{0}, %t{0} : {1}\n", g, row, g + 1);
  }
  return text + fmt::format("  %y = sub %{}, %h : {}\n  return %y\n}}", gates, row);
}

Func cell_of(int64_t units, int64_t gates) { return parse(cell(units, gates, units)); }

LoopProgram lowered(const Func& func, const std::string& cpu, const Aliases& aliases = {{0, 0}}) {
  return codegen::lower(func, {.aliases = aliases, .cpu = cpu});
}

/// The kernel that overwrites a row; null: there is none.
std::shared_ptr<Kernel> overwriting(const LoopProgram& program) {
  for (const Stmt& s : program.stmts)
    if (s.kernel && s.kernel->schedule.overwritten != kNone) return s.kernel;
  return nullptr;
}

bool overwrites(const Func& func, const std::string& cpu, const Aliases& aliases = {{0, 0}}) {
  return overwriting(lowered(func, cpu, aliases)) != nullptr;
}

int64_t first_late_term(const Func& func, const std::string& cpu) {
  const LoopProgram program = lowered(func, cpu);
  const std::shared_ptr<Kernel> kernel = overwriting(program);
  return kernel ? codegen::first_late_term(*kernel, codegen::target_for(cpu)) : 0;
}

/// Interpreted and compiled as evaluated, and compiled to the bits of code that copies the state at the end.
void expect_same(const Func& func, const Aliases& aliases = {{0, 0}}) {
  for (const char* features : {"", "-avx512f", "-avx2,-avx512f"}) {
    const CompileOptions options{.aliases = aliases, .features = features};
    const LoopProgram program = codegen::lower(func, options);
    SCOPED_TRACE(print(func) + to_string(program) + features);
    const std::vector<Array> inputs = random_inputs(func, {}, 3), want = evaluate(func, inputs, {});
    const auto shapes = shapes_of(want);
    EXPECT_LE(difference(codegen::interpret(program, inputs, shapes, {}), want), 1e-10);
    const std::vector<Array> got = execute(*codegen::compile(func, options), inputs, shapes, {});
    EXPECT_LE(difference(got, want), tolerance(func));
    const Environment skip("RONDO_SKIP", "overwrite-rows");
    const std::vector<Array> copied = execute(*codegen::compile(func, options), inputs, shapes, {});
    for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i].data, copied[i].data);
  }
}

TEST(OverwriteRows, StatesOfAllSizesAreTheSame) {
  for (const int64_t units : {8, 13, 16, 17, 24, 31, 32, 33, 48, 64, 65})
    for (const int64_t gates : {1, 3, 4, 5}) expect_same(cell_of(units, gates));
}

TEST(OverwriteRows, ARowWhoseSumsAreInRegistersIsOverwritten) {
  EXPECT_TRUE(overwrites(cell_of(16, 4), kAvx2));
  EXPECT_FALSE(overwrites(cell_of(32, 4), kAvx2));  // in two blocks of columns
  for (const int64_t units : {8, 13, 16, 24, 32})
    EXPECT_TRUE(overwrites(cell_of(units, 4), kAvx512)) << units;
  EXPECT_FALSE(overwrites(cell_of(33, 4), kAvx512));  // one column is left
  EXPECT_FALSE(overwrites(cell_of(64, 4), kAvx512));  // beyond the first cache
}

TEST(OverwriteRows, TermsOfTheLastVectorComeLast) {
  EXPECT_EQ(first_late_term(cell_of(16, 4), kAvx512), 0);  // one vector
  EXPECT_EQ(first_late_term(cell_of(24, 4), kAvx512), 16);
  EXPECT_EQ(first_late_term(cell_of(32, 4), kAvx512), 16);
  EXPECT_EQ(first_late_term(cell_of(32, 3), kAvx512), 16);
  EXPECT_EQ(first_late_term(cell_of(32, 1), kAvx512), 0);  // two chains a vector
  EXPECT_EQ(first_late_term(cell_of(48, 3), kAvx512), 0);  // three: the sums are no halves
  EXPECT_EQ(first_late_term(cell_of(16, 1), kAvx2), 8);
  EXPECT_EQ(first_late_term(cell_of(16, 3), kAvx2), 0);  // too few registers for sums in quarters
}

TEST(OverwriteRows, NothingIsCopied) {
  EXPECT_EQ(lowered(cell_of(32, 4), kAvx512).stmts.size(), 1u);
  EXPECT_EQ(lowered(cell_of(33, 4), kAvx512).stmts.size(), 2u);
  const Environment skip("RONDO_SKIP", "overwrite-rows");
  EXPECT_EQ(lowered(cell_of(32, 4), kAvx512).stmts.size(), 2u);
}

TEST(OverwriteRows, APartOfTheStateMayBeMultiplied) {
  for (const int64_t read : {1, 8, 17, 31}) {
    const Func func = parse(cell(32, 4, read));
    EXPECT_TRUE(overwrites(func, kAvx512)) << read;
    expect_same(func);
  }
}

TEST(OverwriteRows, StatesOfDoublesAreTheSame) {
  for (const int64_t units : {8, 16, 24}) expect_same(parse(cell(units, 3, units, "f64")));
}

TEST(OverwriteRows, WhatReadsTheNewStateFindsItInTheOldOnesPlace) {
  const Func func = parse(R"(
func @headed(%h: f32[1,32], %w: f32[32,32], %v: f32[32,8]) -> (f32[1,32], f32[1,8]) {
  %z = matmul %h, %w : f32[1,32]
  %h1 = tanh %z : f32[1,32]
  %y = matmul %h1, %v : f32[1,8]
  return %h1, %y
})");
  EXPECT_TRUE(overwrites(func, kAvx512));
  expect_same(func);
}

TEST(OverwriteRows, AStateThatIsReadLaterStays) {
  const Func func = parse(R"(
func @later(%h: f32[1,32], %w: f32[32,32], %v: f32[32,32]) -> (f32[1,32], f32[1,32]) {
  %z = matmul %h, %w : f32[1,32]
  %h1 = tanh %z : f32[1,32]
  %0 = matmul %h1, %v : f32[1,32]
  %y = mul %0, %h : f32[1,32]
  return %h1, %y
})");
  EXPECT_FALSE(overwrites(func, kAvx512));
  expect_same(func);
}

TEST(OverwriteRows, AStateWhoseElementsChangePlacesStays) {
  const Func func = parse(R"(
func @turned(%h: f32[1,32], %w: f32[16,64]) -> (f32[1,32]) {
  %r = slice %h {axis=1, lo=16, hi=32} : f32[1,16]
  %z = matmul %r, %w : f32[1,64]
  %a = slice %z {axis=1, lo=0, hi=32} : f32[1,32]
  %b = slice %z {axis=1, lo=32, hi=64} : f32[1,32]
  %h1 = mul %a, %b : f32[1,32]
  return %h1
})");
  EXPECT_FALSE(overwrites(func, kAvx512));
  expect_same(func);
}

TEST(OverwriteRows, OfTwoStatesOfAKernelOneIsOverwritten) {
  const Func func = parse(R"(
func @two(%h: f32[1,32], %g: f32[1,32], %w: f32[32,64], %v: f32[32,64]) -> (f32[1,32], f32[1,32]) {
  %0 = matmul %h, %w : f32[1,64]
  %1 = matmul %g, %v : f32[1,64]
  %z = add %0, %1 : f32[1,64]
  %a = slice %z {axis=1, lo=0, hi=32} : f32[1,32]
  %b = slice %z {axis=1, lo=32, hi=64} : f32[1,32]
  %h1 = tanh %a : f32[1,32]
  %g1 = mul %b, %h1 : f32[1,32]
  return %h1, %g1
})");
  const Aliases both = {{0, 0}, {1, 1}};
  const LoopProgram program = lowered(func, kAvx512, both);
  ASSERT_TRUE(overwriting(program));
  EXPECT_EQ(program.stmts.size(), 2u) << to_string(program);
  expect_same(func, both);
}

TEST(OverwriteRows, ThreadsLeaveTheStateThatAllRead) {
  const LoopProgram program =
      codegen::lower(cell_of(32, 4), {.aliases = {{0, 0}}, .cpu = kAvx512, .threads = 2});
  EXPECT_FALSE(overwriting(program));
}

}  // namespace
}  // namespace rondo::test
