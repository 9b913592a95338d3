// Loops over time run by points: which ones, and to the same bits as step by step.
#include <gtest/gtest.h>

#include "codegen/compile.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tests/support/environment.h"
#include "tests/support/execute.h"

namespace rondo::test {
namespace {

using ir::Func;
using ir::parse;

// A minimal gated recurrence; the final state, and all states.
constexpr const char* kGated = R"(
func @gated(%h0: f32[B,5], %b: f32[5], %x: f32[T,B,10]) -> (f32[B,5], f32[T,B,5]) {
  %h, %hs = scan consts(%b) carry(%h = %h0) xs(%xt = %x) {
    %az = slice %xt {axis=1, lo=0, hi=5} : f32[B,5]
    %n = slice %xt {axis=1, lo=5, hi=10} : f32[B,5]
    %bb = broadcast %b {axes=[1]} : f32[B,5]
    %ab = add %az, %bb : f32[B,5]
    %z = sigmoid %ab : f32[B,5]
    %d = sub %n, %h : f32[B,5]
    %zd = mul %z, %d : f32[B,5]
    %h1 = add %h, %zd : f32[B,5]
    yield carry(%h1) ys(%h1)
  } : f32[B,5], f32[T,B,5]
  return %h, %hs
}
)";

// Two states that need each other, one of them overwritten in place; a product of the states before the step.
constexpr const char* kOscillator = R"(
func @oscillator(%p0: f64[B,3], %v0: f64[B,3], %x: f64[T,B,3]) -> (f64[B,3], f64[B,3], f64[T,B,3]) {
  %p, %v, %ys = scan carry(%p = %p0, %v = %v0) xs(%xt = %x) {
    %tv = tanh %v : f64[B,3]
    %vx = add %tv, %xt : f64[B,3]
    %v1 = sub %vx, %p : f64[B,3]
    %p1 = add %p, %v1 : f64[B,3]
    %y = mul %p, %v : f64[B,3]
    yield carry(%p1, %v1) ys(%y)
  } : f64[B,3], f64[B,3], f64[T,B,3]
  return %p, %v, %ys
}
)";

constexpr const char* kCounter = R"(
func @counter(%n0: i32[], %ids: i32[T]) -> (i32[], i32[T]) {
  %n, %ns = scan carry(%n = %n0) xs(%id = %ids) {
    %n1 = add %n, %id : i32[]
    yield carry(%n1) ys(%n)
  } : i32[], i32[T]
  return %n, %ns
}
)";

std::string reversed(std::string text) {
  text.replace(text.find("scan "), 5, "scan reverse ");
  return text;
}

bool runs_by_points(const std::string& text) {
  return to_string(codegen::lower(parse(text))).find("by points") != std::string::npos;
}

class ByPoints : public testing::TestWithParam<const char*> {};

TEST_P(ByPoints, GivesTheBitsOfStepByStep) {
  for (const std::string& text : {std::string(GetParam()), reversed(GetParam())}) {
    ASSERT_TRUE(runs_by_points(text)) << text;
    const Func func = parse(text);
    const auto by_points = codegen::compile(func);
    const Environment skip("RONDO_SKIP", "grad,by-points");
    ASSERT_FALSE(runs_by_points(text));
    const auto by_steps = codegen::compile(func);
    for (int64_t steps : {0, 1, 2, 33})
      for (int64_t batch : {1, 4, 12, 13, 40}) {  // 5 * 12 = 60 points are few, 65 are many
        const ir::DimValues dims{{"T", steps}, {"B", batch}};
        const auto inputs = ir::random_inputs(func, dims, 3);
        const auto expected = ir::evaluate(func, inputs, dims);
        const auto shapes = ir::shapes_of(expected);
        const auto a = execute(*by_points, inputs, shapes, dims),
                   b = execute(*by_steps, inputs, shapes, dims);
        EXPECT_LE(ir::difference(a, expected), tolerance(func)) << "T=" << steps << " B=" << batch << text;
        for (size_t i = 0; i < a.size(); ++i)
          EXPECT_EQ(a[i].data, b[i].data) << "T=" << steps << " B=" << batch;
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Cells, ByPoints, testing::Values(kGated, kOscillator, kCounter));

TEST(ByPointsNot, WherePointsNeedEachOther) {
  EXPECT_FALSE(runs_by_points(R"(
func @rnn(%h0: f32[B,4], %w: f32[4,4]) -> (f32[B,4]) {
  %h = scan trip(T) consts(%w) carry(%h = %h0) {
    %h1 = matmul %h, %w : f32[B,4]
    yield carry(%h1)
  } : f32[B,4]
  return %h
}
)"));
  EXPECT_FALSE(runs_by_points(R"(
func @shift(%h0: f32[4], %x: f32[T]) -> (f32[4]) {
  %h = scan carry(%h = %h0) xs(%xt = %x) {
    %old = slice %h {axis=0, lo=1, hi=4} : f32[3]
    %new = reshape %xt : f32[1]
    %h1 = concat %old, %new {axis=0} : f32[4]
    yield carry(%h1)
  } : f32[4]
  return %h
}
)"));
}

// Three elements a h + b: in general, with a = 1, and with b = 0. The first is stacked, before and after.
constexpr const char* kChunks = R"(
func @linear(%h0: f32[B,3], %p0: f32[B,3], %q0: f32[B,3], %a: f32[T,B,3], %b: f32[T,B,3]) -> (f32[B,3], f32[B,3], f32[B,3], f32[T,B,3], f32[T,B,3]) {
  %h, %p, %q, %hs, %olds = scan chunks(8) carry(%h = %h0, %p = %p0, %q = %q0) xs(%at = %a, %bt = %b) {
    %ah = mul %at, %h : f32[B,3]
    %h1 = add %ah, %bt : f32[B,3]
    %p1 = add %bt, %p : f32[B,3]
    %q1 = mul %q, %at : f32[B,3]
    yield carry(%h1, %p1, %q1) ys(%h1, %h)
  } : f32[B,3], f32[B,3], f32[B,3], f32[T,B,3], f32[T,B,3]
  return %h, %p, %q, %hs, %olds
}
)";

long count(const std::string& text, const std::string& part) {
  long n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++n;
  return n;
}

TEST(Chunks, AgreeWithOneStepAfterTheOther) {
  for (const std::string& text : {std::string(kChunks), reversed(kChunks)}) {
    const Func func = parse(text);
    EXPECT_EQ(count(to_string(codegen::lower(func)), "by points, 8 chunks"), 1) << text;
    const auto code = codegen::compile(func);
    for (int64_t steps : {0, 1, 7, 8, 9, 64, 1003}) {
      const ir::DimValues dims{{"T", steps}, {"B", 7}};
      const auto inputs = ir::random_inputs(func, dims, 3);
      const auto expected = ir::evaluate(func, inputs, dims);
      const auto actual = execute(*code, inputs, ir::shapes_of(expected), dims);
      EXPECT_LE(ir::difference(actual, expected), 1e-5) << "T=" << steps << text;
    }
  }
}

TEST(Chunks, GiveARowTheBitsItHasAlone) {
  const Func func = parse(kChunks);
  const auto code = codegen::compile(func);
  auto inputs = ir::random_inputs(func, {{"T", 50}, {"B", 30}}, 3);
  const auto all = execute(*code, inputs, ir::shapes_of(ir::evaluate(func, inputs)), {{"T", 50}, {"B", 30}});
  for (ir::Array& a : inputs) {  // row 29
    const bool stacked = a.shape.size() == 3;
    std::vector<double> row;
    for (int64_t t = 0; t < (stacked ? 50 : 1); ++t)
      row.insert(row.end(), a.data.begin() + (t * 30 + 29) * 3, a.data.begin() + (t * 30 + 30) * 3);
    a = {a.dtype, a.shape, row};
    a.shape[stacked] = 1;
  }
  const auto one = execute(*code, inputs, ir::shapes_of(ir::evaluate(func, inputs)), {{"T", 50}, {"B", 1}});
  for (int64_t t = 0; t < 50; ++t)
    for (int64_t i = 0; i < 3; ++i)
      EXPECT_EQ(one[3].data[t * 3 + i], all[3].data[(t * 30 + 29) * 3 + i]) << t << " " << i;
}

TEST(Chunks, ForgetWhatUnderflows) {
  const Func func = parse(kChunks);
  const ir::DimValues dims{{"T", 80}, {"B", 1}};
  auto inputs = ir::random_inputs(func, dims, 3);
  for (double& a : inputs[3].data) a = 1e-20;
  inputs[0].data = {1e30, -1e30, 1};
  const auto expected = ir::evaluate(func, inputs, dims);
  const auto actual = execute(*codegen::compile(func), inputs, ir::shapes_of(expected), dims);
  EXPECT_LE(ir::difference(actual, expected), 1e-5);
}

TEST(Chunks, OnlyOfWhatIsLinear) {
  std::string text = kGated;
  text.replace(text.find("scan "), 5, "scan chunks(8) ");
  text.replace(text.find("sub %n, %h"), 10, "mul %n, %h");  // h (1 + z n), which is no  a h + b
  EXPECT_EQ(count(to_string(codegen::lower(parse(text))), "chunks"), 0);
}

TEST(Chunks, LeaveNoLoopThatIsSequentialForwardOrBackward) {
  const Func loss = parse(R"(
func @mingru(%w: f32[3,8], %x: f32[T,B,3]) -> (f32[]) {
  %h0 = const {value=0} : f32[B,4]
  %one = const {value=1} : f32[B,4]
  %hT, %hs = scan consts(%w, %one) carry(%h = %h0) xs(%xt = %x) {
    %g = matmul %xt, %w : f32[B,8]
    %gz = slice %g {axis=1, lo=0, hi=4} : f32[B,4]
    %n = slice %g {axis=1, lo=4, hi=8} : f32[B,4]
    %z = sigmoid %gz : f32[B,4]
    %keep = sub %one, %z : f32[B,4]
    %kh = mul %keep, %h : f32[B,4]
    %zn = mul %z, %n : f32[B,4]
    %h1 = add %kh, %zn : f32[B,4]
    yield carry(%h1) ys(%h1)
  } : f32[B,4], f32[T,B,4]
  %sq = mul %hs, %hs : f32[T,B,4]
  %loss = reduce_sum %sq {axes=[0,1,2]} : f32[]
  return %loss
}
)");
  const Func func = passes::run_pipeline(loss, std::string(passes::kTraining) + std::string(passes::kLinear));
  const std::string program = to_string(codegen::lower(func));
  EXPECT_EQ(count(program, "loop "), 2) << program;
  EXPECT_EQ(count(program, "by points, 4 chunks"), 2) << program;
  const ir::DimValues dims{{"T", 37}, {"B", 2}};
  const auto inputs = ir::random_inputs(func, dims, 3);
  const auto expected = ir::evaluate(passes::grad(loss), inputs, dims);
  EXPECT_LE(ir::difference(execute(*codegen::compile(func), inputs, ir::shapes_of(expected), dims), expected),
            1e-4);
}

}  // namespace
}  // namespace rondo::test
