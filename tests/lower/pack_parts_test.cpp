// Matrices side by side that are packed from where they are.
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

/// Two gates with matrices of their own, forwards and backwards in time; `more` stands after both and makes
/// the second result.
std::string gates(const std::string& rows, const std::string& units, const std::string& more = "",
                  const std::string& second = "%d") {
  std::string text = R"(
func @gates(%x: f32[T,B,H], %u: f32[H,H], %v: f32[H,H]) -> (f32[B,H], f32[B,H]) {
  %0 = const {value=0} : f32[B,H]
  %w = concat %u, %v {axis=1} : f32[H,D]
  %h, %hs = scan consts(%w) carry(%0 = %0) xs(%1 = %x) {
    %2 = matmul %0, %w : f32[B,D]
    %3 = slice %2 {axis=1, lo=0, hi=H} : f32[B,H]
    %4 = slice %2 {axis=1, lo=H, hi=D} : f32[B,H]
    %5 = add %3, %1 : f32[B,H]
    %6 = tanh %5 : f32[B,H]
    %7 = sigmoid %4 : f32[B,H]
    %8 = mul %6, %7 : f32[B,H]
    yield carry(%8) ys(%8)
  } : f32[B,H], f32[T,B,H]
  %d = scan reverse consts(%w) carry(%0 = %0) xs(%1 = %hs) {
    %2 = add %0, %1 : f32[B,H]
    %3 = tanh %2 : f32[B,H]
    %4 = sigmoid %2 : f32[B,H]
    %5 = concat %3, %4 {axis=1} : f32[B,D]
    %6 = matmul %5, %w {tb} : f32[B,H]
    yield carry(%6)
  } : f32[B,H]
)" + more + "  return %h, " +
                     second + "\n}";
  const std::string both = std::to_string(2 * std::stoi(units));
  for (const auto& [letter, number] : {std::pair('B', rows), std::pair('H', units), std::pair('D', both)})
    for (size_t i = 1; i + 1 < text.size(); ++i)
      if (text[i] == letter && std::string_view("[,=").find(text[i - 1]) != std::string_view::npos &&
          std::string_view("],}").find(text[i + 1]) != std::string_view::npos)
        text.replace(i, 1, number);
  return text;
}

size_t copies_left_out(const LoopProgram& program) {
  return static_cast<size_t>(std::ranges::count_if(program.stmts, [](const Stmt& s) {
    return s.kernel && s.kernel->schedule.form == Schedule::Form::none;
  }));
}

/// Interpreted as evaluated, and compiled to the bits of code that copies.
void expect_same(const Func& func) {
  const DimValues dims = {{"T", 3}};
  const std::vector<Array> inputs = test::random_inputs(func, dims, 1), want = evaluate(func, inputs, dims);
  const auto shapes = test::shapes_of(want);
  const LoopProgram program = codegen::lower(func);
  EXPECT_LE(test::difference(codegen::interpret(program, inputs, shapes, dims), want), 1e-9);
  const std::vector<Array> have = test::execute(*codegen::compile(func), inputs, shapes, dims);
  EXPECT_LE(test::difference(have, want), 1e-4) << to_string(program);
  const test::Environment skip("RONDO_SKIP", "pack-parts");
  EXPECT_EQ(test::difference(have, test::execute(*codegen::compile(func), inputs, shapes, dims)), 0);
}

TEST(PackParts, MatricesOfGatesArePackedFromWhereTheyAre) {
  for (const char* rows : {"1", "5"})
    for (const char* units : {"128", "69", "57", "15"}) {
      const Func func = parse(gates(rows, units));
      EXPECT_EQ(copies_left_out(codegen::lower(func)), 2u) << to_string(codegen::lower(func));
      expect_same(func);
    }
}

/// What is packed after a matrix was updated in place needs the copy made before.
TEST(PackParts, WhatIsUpdatedInPlaceIsCopiedBefore) {
  std::string text = gates("5", "128");
  auto put = [&](const std::string& place, const std::string& more) {
    const size_t at = text.find(place);
    ASSERT_NE(at, text.npos) << place;
    text.insert(at + place.size(), more);
  };
  put("-> (f32[5,128], f32[5,128]", ", f32[128,128]");
  put("  } : f32[5,128], f32[T,5,128]\n", "  %n = add %u, %v : f32[128,128]\n");
  put("return %h, %d", ", %n");
  const Func func = parse(text);
  codegen::CompileOptions options;
  EXPECT_EQ(copies_left_out(codegen::lower(func, options)), 2u);
  options.aliases = {{1, 2}};
  EXPECT_EQ(copies_left_out(codegen::lower(func, options)), 0u);
}

TEST(PackParts, ACopyThatIsReadPlainIsMade) {
  const Func func = parse(gates("5", "128",
                                "  %s = reduce_sum %w {axes=[1]} : f32[H]\n"
                                "  %s1 = broadcast %s {axes=[1]} : f32[B,H]\n"
                                "  %d1 = add %d, %s1 : f32[B,H]\n",
                                "%d1"));
  EXPECT_EQ(copies_left_out(codegen::lower(func)), 0u);
  expect_same(func);
}

}  // namespace
}  // namespace rondo
