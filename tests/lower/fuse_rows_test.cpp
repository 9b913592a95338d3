// Sums over rows and what follows from them, row by row: which kernels, and to the same bits as one after the
// other.
#include "codegen/loops/fuse_rows.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "codegen/compile.h"
#include "codegen/loops/interpreter.h"
#include "codegen/loops/plan_memory.h"
#include "codegen/loops/sum_columns.h"
#include "ir/evaluator.h"
#include "ir/text.h"
#include "tests/support/arrays.h"
#include "tests/support/environment.h"
#include "tests/support/execute.h"
#include "tests/support/together.h"

namespace rondo::test {
namespace {

using namespace ir;

LoopProgram lower_apart(const Func& func, const codegen::CompileOptions& options = {}) {
  const Environment skip("RONDO_SKIP", "fuse-rows");
  return codegen::lower(func, options);
}

/// The numbers of kernels in each loop over rows.
std::vector<size_t> fused(const std::vector<Stmt>& stmts) {
  std::vector<size_t> found;
  for (const Stmt& s : stmts) {
    if (!s.loop) continue;
    std::vector<size_t> inner =
        s.loop->rows ? std::vector{codegen::row_body(*s.loop).size()} : fused(s.loop->body);
    found.insert(found.end(), inner.begin(), inner.end());
  }
  return found;
}

LoopProgram lower_for_threads(const Func& func, int64_t threads, codegen::CompileOptions options = {}) {
  options.threads = threads;
  return codegen::lower(func, options);
}

/// Interpreted and compiled as evaluated, and compiled to the bits of kernels that run one after the other,
/// on one thread or several.
void expect_same(const Func& func, const std::vector<int64_t>& batches,
                 const codegen::CompileOptions& options = {}) {
  const LoopProgram program = codegen::lower(func, options), shared = lower_for_threads(func, 3, options);
  SCOPED_TRACE(print(func) + to_string(program) + to_string(shared));
  const auto together = codegen::compile(func, options);
  std::shared_ptr<const Executable> apart;
  {
    const Environment skip("RONDO_SKIP", "fuse-rows");
    apart = codegen::compile(func, options);
  }
  const Together of_threads(func, options, 3);
  for (int64_t T : {0, 1, 3})
    for (int64_t B : batches) {
      const DimValues dims = {{"T", T}, {"B", B}};
      const std::vector<Array> inputs = random_inputs(func, dims, 5), want = evaluate(func, inputs, dims);
      const auto shapes = shapes_of(want);
      for (const LoopProgram* p : {&program, &shared})
        EXPECT_LE(difference(codegen::interpret(*p, inputs, shapes, dims), want), 1e-10) << "B=" << B;
      const std::vector<Array> got = execute(*together, inputs, shapes, dims);
      EXPECT_LE(difference(got, want), tolerance(func)) << "B=" << B;
      const std::vector<Array> other = execute(*apart, inputs, shapes, dims),
                               third = execute(of_threads, inputs, shapes, dims);
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(got[i].data, other[i].data) << "T=" << T << " B=" << B;
        EXPECT_EQ(third[i].data, other[i].data) << "T=" << T << " B=" << B;
      }
    }
}

std::string replaced(std::string text, const std::string& word, const std::string& by) {
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += by.size())
    text.replace(at, word.size(), by);
  return text;
}

/// x / sqrt(1 + x x^T) of each row, and the maximum of that.
std::string norm(int64_t columns, const std::string& dtype = "f32") {
  const std::string text = R"(
func @norm(%x: F[T,B,N]) -> (F[T,B,N], F[T,B]) {
  %xx = mul %x, %x : F[T,B,N]
  %s = reduce_sum %xx {axes=[2]} : F[T,B]
  %one = const {value=1} : F[T,B]
  %s1 = add %s, %one : F[T,B]
  %r = rsqrt %s1 : F[T,B]
  %rb = broadcast %r {axes=[0,1]} : F[T,B,N]
  %y = mul %x, %rb : F[T,B,N]
  %m = reduce_max %y {axes=[2]} : F[T,B]
  return %y, %m
})";
  return replaced(replaced(text, "F[", dtype + "["), "N]", fmt::format("{}]", columns));
}

constexpr const char* kState = R"(
func @state(%h: f32[B,64], %x: f32[B,64]) -> (f32[B,64], f32[B]) {
  %a = add %h, %x : f32[B,64]
  %s = reduce_sum %a {axes=[1]} : f32[B]
  %t = tanh %s : f32[B]
  %tb = broadcast %t {axes=[0]} : f32[B,64]
  %h1 = mul %a, %tb : f32[B,64]
  %m = reduce_max %h1 {axes=[1]} : f32[B]
  return %h1, %m
})";

TEST(FuseRows, NormsAreOneLoopOverRows) {
  for (int64_t columns : {16, 40, 64, 300}) {
    const Func func = parse(norm(columns));
    EXPECT_EQ(fused(codegen::lower(func).stmts), std::vector<size_t>{3}) << to_string(codegen::lower(func));
    expect_same(func, {1, 5, 8, 17});
  }
}

TEST(FuseRows, SoAreThoseOfANumberOfRows) {
  for (const char* rows : {"1", "2", "5", "24"}) {
    const Func func = parse(replaced(norm(64, "f64"), "B", rows));
    EXPECT_EQ(fused(codegen::lower(func).stmts).size(), 1u);
    expect_same(func, {1});
  }
}

TEST(FuseRows, ThreadsHaveRowsEachWhereThereAreSome) {
  const Func step = parse(kState);
  EXPECT_EQ(fused(lower_for_threads(step, 2).stmts), fused(codegen::lower(step).stmts));
  const auto of_rows = [](const char* rows) { return parse(replaced(kState, "B", rows)); };
  EXPECT_FALSE(fused(lower_for_threads(of_rows("16"), 4).stmts).empty());
  EXPECT_TRUE(fused(lower_for_threads(of_rows("15"), 4).stmts).empty());
}

TEST(FuseRows, RowsThatFillNoVectorsStayTogether) {
  EXPECT_TRUE(fused(codegen::lower(parse(norm(17))).stmts).empty());
  expect_same(parse(norm(17)), {1, 5});
}

/// The gradients of a norm's gain and of its bias, as far as they are sums over rows.
constexpr const char* kGain = R"(
func @gain(%x: f32[T,B,64], %d: f32[T,B,64]) -> (f32[T,B,64], f32[64], f32[64]) {
  %xx = mul %x, %x : f32[T,B,64]
  %s = reduce_sum %xx {axes=[2]} : f32[T,B]
  %one = const {value=1} : f32[T,B]
  %s1 = add %s, %one : f32[T,B]
  %r = rsqrt %s1 : f32[T,B]
  %rb = broadcast %r {axes=[0,1]} : f32[T,B,64]
  %y = mul %x, %rb : f32[T,B,64]
  %dy = mul %d, %y : f32[T,B,64]
  %gain = reduce_sum %dy {axes=[0,1]} : f32[64]
  %bias = reduce_sum %d {axes=[0,1]} : f32[64]
  return %y, %gain, %bias
})";

size_t adding_rows(const std::vector<Stmt>& stmts) {
  size_t count = 0;
  for (const Stmt& s : stmts) {
    if (s.loop) count += adding_rows(s.loop->body);
    if (s.kernel) count += codegen::adds_to_columns(*s.kernel);
  }
  return count;
}

TEST(FuseRows, SumsOfColumnsTakeTheRowsOneAfterTheOther) {
  for (const char* rows : {"B", "1", "5", "24"}) {
    const Func func = parse(replaced(kGain, "B", rows));
    EXPECT_EQ(adding_rows(codegen::lower(func).stmts), 1u) << to_string(codegen::lower(func));
    expect_same(func, {1, 5, 8, 17, 40});
  }
}

TEST(FuseRows, ThreadsShareTheColumnsOfSumsNotTheirRows) {
  EXPECT_EQ(adding_rows(lower_for_threads(parse(kGain), 2).stmts), 0u);
}

/// A row that is looked up is one for all of its columns.
TEST(FuseRows, NormsOfRowsThatAreLookedUp) {
  const std::string text = replaced(norm(64), "%x: f32[T,B,64]", "%table: f32[9,64], %ids: i32[T,B]");
  const Func func =
      parse(replaced(text, "  %xx = mul", "  %x = gather %table, %ids : f32[T,B,64]\n  %xx = mul"));
  EXPECT_EQ(fused(codegen::lower(func).stmts), std::vector<size_t>{4}) << to_string(codegen::lower(func));
  expect_same(func, {1, 5, 8, 17});
}

TEST(FuseRows, KernelsThatReadOtherRowsComeAfterwards) {
  const Func func = parse(R"(
func @next(%x: f32[5,64]) -> (f32[5,64]) {
  %s = reduce_sum %x {axes=[1]} : f32[5]
  %sb = broadcast %s {axes=[0]} : f32[5,64]
  %y = mul %x, %sb : f32[5,64]
  %more = pad %y {axis=0, lo=0, hi=1} : f32[6,64]
  %spread = slice %more {axis=0, lo=1, hi=6} : f32[5,64]
  %t = tanh %y : f32[5,64]
  %z = sub %t, %spread : f32[5,64]
  %m = reduce_max %z {axes=[1]} : f32[5]
  %mb = broadcast %m {axes=[0]} : f32[5,64]
  %zm = mul %z, %mb : f32[5,64]
  return %zm
})");
  EXPECT_EQ(fused(codegen::lower(func).stmts), std::vector<size_t>{3}) << to_string(codegen::lower(func));
  expect_same(func, {1});
}

TEST(FuseRows, StatesAreUpdatedInPlace) {
  codegen::CompileOptions options;
  options.aliases = {{0, 0}};
  EXPECT_FALSE(fused(codegen::lower(parse(kState), options).stmts).empty());
  expect_same(parse(kState), {1, 4, 19}, options);
}

TEST(FuseRows, WhatOneRowNeedsIsThereForAFewRows) {
  const Func func = parse(norm(64));
  auto bytes = [](const LoopProgram& p, int64_t rows) {
    return codegen::scratch_bytes(p, {{"T", 10}, {"B", rows}});
  };
  EXPECT_EQ(bytes(codegen::lower(func), 100), bytes(codegen::lower(func), 10));
  EXPECT_GT(bytes(lower_apart(func), 100), bytes(lower_apart(func), 10));
}

/// A cell of elements, columns and sums of rows.
class RandomRows {
 public:
  explicit RandomRows(uint64_t seed) : random_(seed), columns_(std::vector{16, 20, 40, 64, 300}[seed % 5]) {}

  std::string text() {
    const std::string dtype = below(2) ? "f32" : "f64";
    add("broadcast %g {axes=[1]}");
    for (int i = 0; i < 12; ++i) grow();
    add("tanh " + pool_.back());
    std::string text = R"(
func @cell(%h0: F[B,N], %c0: F[N], %g: F[N], %x: F[T,B,N]) -> (F[B,N], F[N], F[T,B,N], F[T,B]) {
  %h1, %c1, %ys, %ss = scan consts(%g) carry(%h = %h0, %c = %c0) xs(%xt = %x) {
)" + body_ +
                       fmt::format(R"(    yield carry({}, {}) ys({}, {})
  }} : F[B,N], F[N], F[T,B,N], F[T,B]
  return %h1, %c1, %ys, %ss
}})",
                                   pool_.back(), columns_sum_, any(), last_sum_);
    text = replaced(text, "F[", dtype + "[");
    text = replaced(text, "N]", fmt::format("{}]", columns_));
    const int rows = below(4);
    return rows < 3
               ? text
               : replaced(text, "B", std::to_string(std::vector{1, 4, 21}[static_cast<size_t>(below(3))]));
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  std::string any() { return pool_[static_cast<size_t>(below(static_cast<int>(pool_.size())))]; }

  std::string emit(const std::string& op, const std::string& type) {
    const std::string name = fmt::format("%a{}", count_++);
    body_ += fmt::format("    {} = {} : {}\n", name, op, type);
    return name;
  }
  void add(const std::string& op) { pool_.push_back(emit(op, "F[B,N]")); }

  void grow() {
    switch (below(7)) {
      case 0: return add((below(2) ? "tanh " : "sigmoid ") + any());
      case 1: return add(fmt::format("{} {}, {}", below(2) ? "add" : "mul", any(), any()));
      case 2: {
        const int half = columns_ / 2;
        const std::string part = fmt::format("F[B,{}]", half), from = any(), to = any();
        const std::string low = emit(fmt::format("slice {} {{axis=1, lo=0, hi={}}}", from, half), part);
        const std::string high =
            emit(fmt::format("slice {} {{axis=1, lo={}, hi={}}}", to, half, columns_), part);
        return add(fmt::format("concat {}, {} {{axis=1}}", low, high));
      }
      case 3: {
        const std::string terms = emit(fmt::format("mul {}, {}", any(), any()), "F[B,N]");
        const std::string sum = emit(fmt::format("reduce_sum {} {{axes=[0]}}", terms), "F[N]");
        columns_sum_ = emit(fmt::format("add {}, {}", columns_sum_, sum), "F[N]");
        return;
      }
      default: {
        const std::string sum =
            emit(fmt::format("{} {} {{axes=[1]}}", below(4) ? "reduce_sum" : "reduce_max", any()), "F[B]");
        last_sum_ = emit("tanh " + sum, "F[B]");
        const std::string spread = emit(fmt::format("broadcast {} {{axes=[0]}}", last_sum_), "F[B,N]");
        return add(fmt::format("{} {}, {}", below(2) ? "sub" : "mul", any(), spread));
      }
    }
  }

  std::mt19937_64 random_;
  int columns_, count_ = 0;
  std::vector<std::string> pool_ = {"%xt", "%h"};  // [B,N]
  std::string columns_sum_ = "%c";                 // [N]
  std::string body_, last_sum_ = emit("tanh " + emit("reduce_sum %h {axes=[1]}", "F[B]"), "F[B]");
};

TEST(FuseRows, RandomCellsKeepTheirBits) {
  int loops = 0;
  size_t sums_of_columns = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Func func = parse(RandomRows(seed).text());
    SCOPED_TRACE(fmt::format("seed {}", seed));
    loops += !fused(codegen::lower(func).stmts).empty();
    sums_of_columns += adding_rows(codegen::lower(func).stmts);
    expect_same(func, {1, 3, 17});
  }
  EXPECT_GT(loops, 20);
  EXPECT_GT(sums_of_columns, 10u);
}

}  // namespace
}  // namespace rondo::test
