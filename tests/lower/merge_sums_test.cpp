// Sums over the same rows in one kernel.
#include <gtest/gtest.h>

#include <algorithm>

#include "codegen/compile.h"
#include "codegen/loops/interpreter.h"
#include "ir/evaluator.h"
#include "ir/text.h"
#include "tests/support/arrays.h"
#include "tests/support/environment.h"
#include "tests/support/execute.h"

namespace rondo {
namespace {

using namespace ir;

size_t kernels(const Func& func) {
  const LoopProgram program = codegen::lower(func);
  return static_cast<size_t>(std::ranges::count_if(program.stmts, [](const Stmt& s) { return !!s.kernel; }));
}

/// Interpreted as evaluated, and compiled to the bits of code that sums one by one.
void expect_same(const Func& func) {
  for (int64_t T : {0, 1, 3}) {
    const DimValues dims = {{"T", T}, {"B", 5}};
    const std::vector<Array> inputs = test::random_inputs(func, dims, 1), want = evaluate(func, inputs, dims);
    const auto shapes = test::shapes_of(want);
    const LoopProgram program = codegen::lower(func);
    EXPECT_LE(test::difference(codegen::interpret(program, inputs, shapes, dims), want), 1e-9)
        << to_string(program);
    const std::vector<Array> together = test::execute(*codegen::compile(func), inputs, shapes, dims);
    const test::Environment skip("RONDO_SKIP", "merge-sums");
    EXPECT_EQ(test::difference(together, test::execute(*codegen::compile(func), inputs, shapes, dims)), 0);
  }
}

/// Three sums over all rows, or over the elements of each.
std::string three(const std::string& result, const std::string& axes) {
  std::string text = R"(
func @sums(%x: f32[T,B,43], %y: f32[T,B,43]) -> (RESULT, RESULT, RESULT) {
  %0 = tanh %y : f32[T,B,43]
  %1 = mul %x, %0 : f32[T,B,43]
  %2 = exp %x : f32[T,B,43]
  %a = reduce_sum %x {axes=AXES} : RESULT
  %b = reduce_sum %1 {axes=AXES} : RESULT
  %c = reduce_sum %2 {axes=AXES} : RESULT
  return %a, %b, %c
})";
  for (const auto& [word, by] : {std::pair("RESULT", result), std::pair("AXES", axes)})
    for (size_t at; (at = text.find(word)) != std::string::npos;)
      text.replace(at, std::string_view(word).size(), by);
  return text;
}

TEST(MergeSums, SumsOverTheSameRowsAreOneKernel) {
  const Func func = parse(three("f32[43]", "[0,1]"));
  EXPECT_EQ(kernels(func), 1u) << to_string(codegen::lower(func));
  expect_same(func);
}

TEST(MergeSums, SumsInLanesAreOneKernel) {
  const Func func = parse(three("f32[T,B]", "[2]"));
  EXPECT_EQ(kernels(func), 1u) << to_string(codegen::lower(func));
  expect_same(func);
}

TEST(MergeSums, ASumThatReadsAnotherComesAfterIt) {
  const Func func = parse(R"(
func @sums(%x: f32[T,B,43]) -> (f32[43], f32[43]) {
  %a = reduce_sum %x {axes=[0,1]} : f32[43]
  %0 = broadcast %a {axes=[2]} : f32[T,B,43]
  %1 = sub %x, %0 : f32[T,B,43]
  %b = reduce_sum %1 {axes=[0,1]} : f32[43]
  return %a, %b
})");
  EXPECT_EQ(kernels(func), 2u) << to_string(codegen::lower(func));
  expect_same(func);
}

/// A normalised row of one product, and the product of another row: the second one is of this row or not.
std::string products(const std::string& of) {
  return R"(
func @products(%x: f32[1,40], %y: f32[1,40], %v: f32[40,40], %w: f32[40,40]) -> (f32[1,40]) {
  %0 = matmul %x, %v : f32[1,40]
  %s = reduce_sum %0 {axes=[1]} : f32[1]
  %sb = broadcast %s {axes=[0]} : f32[1,40]
  %1 = mul %0, %sb : f32[1,40]
  %2 = matmul )" +
         of + R"(, %w : f32[1,40]
  %t = reduce_sum %2 {axes=[1]} : f32[1]
  %tb = broadcast %t {axes=[0]} : f32[1,40]
  %3 = mul %2, %tb : f32[1,40]
  %4 = add %1, %3 : f32[1,40]
  return %4
})";
}

size_t products_of_first(const Func& func) {
  const LoopProgram program = codegen::lower(func);
  return program.stmts.at(0).kernel->accs.size();
}

TEST(MergeSums, ProductsOfOneRowAreOneKernel) {
  const Func func = parse(products("%y"));
  EXPECT_EQ(products_of_first(func), 2u) << to_string(codegen::lower(func));
  expect_same(func);
}

TEST(MergeSums, AProductThatReadsAnotherComesAfterIt) {
  const Func func = parse(products("%1"));
  EXPECT_EQ(products_of_first(func), 1u) << to_string(codegen::lower(func));
  expect_same(func);
}

}  // namespace
}  // namespace rondo
