#include <gtest/gtest.h>

#include "ir/text.h"
#include "passes/passes.h"
#include "support/error.h"
#include "tests/grad/differentiate.h"
#include "tests/support/arrays.h"
#include "tests/support/cells.h"

namespace rondo {
namespace {

using ir::DimValues;
using ir::parse;
using test::gradient_error;

constexpr double kTolerance = 1e-9;

TEST(Grad, LstmAgreesWithDifferences) {
  EXPECT_LT(gradient_error(parse(test::kLstm), {{"T", 3}, {"B", 2}, {"I", 3}}), kTolerance);
}

TEST(Grad, GruAgreesWithDifferences) {
  EXPECT_LT(gradient_error(parse(test::kGru), {{"T", 4}, {"B", 2}}), kTolerance);
}

TEST(Grad, ReverseScan) {
  EXPECT_LT(gradient_error(parse(test::reversed(test::kLstm)), {{"T", 3}, {"B", 2}, {"I", 1}}), kTolerance);
}

TEST(Grad, NoStepsAndOneStep) {
  for (int64_t steps : {0, 1}) {
    EXPECT_LT(gradient_error(parse(test::kLstm), {{"T", steps}, {"B", 1}, {"I", 2}}), kTolerance) << steps;
    EXPECT_LT(gradient_error(parse(test::kGru), {{"T", steps}, {"B", 3}}), kTolerance) << steps;
  }
}

// s' = sin-like map of s, N times, with no xs: its trip count is a dim.
constexpr const char* kIterated = R"(
func @iterated(%a: f64[3], %s0: f64[3]) -> (f64[]) {
  %s, %k = scan trip(N) consts(%a) carry(%s = %s0, %k = %k0) {
    %t = tanh %s : f64[3]
    %u = mul %t, %a : f64[3]
    %v = add %u, %s : f64[3]
    %one = const {value=1} : i32[]
    %next = add %k, %one : i32[]
    yield carry(%v, %next)
  } : f64[3], i32[]
  %loss = reduce_sum %s {axes=[0]} : f64[]
  return %loss
}
)";

std::string with_counter(std::string text) {
  const std::string head = "-> (f64[]) {\n";
  return text.insert(text.find(head) + head.size(), "  %k0 = const {value=0} : i32[]\n");
}

TEST(Grad, NoXsAndAnIntegerCarry) {
  EXPECT_LT(gradient_error(parse(with_counter(kIterated)), {{"N", 4}}), kTolerance);
  EXPECT_LT(gradient_error(parse(with_counter(kIterated)), {{"N", 0}}), kTolerance);
}

// The outer step runs an inner scan over the same weights; its result feeds the carry and a y.
constexpr const char* kNested = R"(
func @nested(%w: f64[2,2], %s0: f64[2], %x: f64[T,3,2]) -> (f64[]) {
  %sT, %ys = scan consts(%w) carry(%s = %s0) xs(%xt = %x) {
    %hT, %hs = scan consts(%w, %shift = %s) carry(%h = %s) xs(%xk = %xt) {
      %m = matmul %h, %w : f64[2]
      %a = add %m, %xk : f64[2]
      %b = mul %a, %shift : f64[2]
      %h1 = tanh %b : f64[2]
      %sq = mul %h1, %xk : f64[2]
      yield carry(%h1) ys(%sq)
    } : f64[2], f64[3,2]
    %sum = reduce_sum %hs {axes=[0]} : f64[2]
    %n = mul %sum, %s : f64[2]
    %next = add %n, %hT : f64[2]
    yield carry(%next) ys(%hT)
  } : f64[2], f64[T,2]
  %y2 = mul %ys, %ys : f64[T,2]
  %l1 = reduce_sum %y2 {axes=[0,1]} : f64[]
  %l2 = reduce_sum %sT {axes=[0]} : f64[]
  %loss = add %l1, %l2 : f64[]
  return %loss
}
)";

TEST(Grad, NestedScans) {
  EXPECT_LT(gradient_error(parse(kNested), {{"T", 3}}), kTolerance);
  EXPECT_LT(gradient_error(parse(test::reversed(kNested)), {{"T", 2}}), kTolerance);
}

// One const twice, a carry that nothing uses, an integer x, a value yielded twice.
constexpr const char* kOddities = R"(
func @oddities(%w: f64[2,2], %e: f64[3,2], %s0: f64[2], %unused: f64[2], %ids: i32[T]) -> (f64[]) {
  %s, %u, %ys, %zs = scan consts(%w, %w2 = %w, %e) carry(%s = %s0, %u = %unused) xs(%id = %ids) {
    %row = gather %e, %id : f64[2]
    %m = matmul %s, %w : f64[2]
    %n = matmul %row, %w2 : f64[2]
    %a = add %m, %n : f64[2]
    %t = tanh %a : f64[2]
    %q = mul %u, %t : f64[2]
    yield carry(%t, %q) ys(%t, %t)
  } : f64[2], f64[2], f64[T,2], f64[T,2]
  %p = mul %ys, %zs : f64[T,2]
  %loss = reduce_sum %p {axes=[0,1]} : f64[]
  return %loss
}
)";

TEST(Grad, RepeatedConstsUnusedCarriesRepeatedYs) {
  EXPECT_LT(gradient_error(parse(kOddities), {{"T", 4}}), kTolerance);
}

// The stash holds what is used and cannot be had more cheaply: not consts, xs or sums of them.
TEST(Grad, StashIsSmall) {
  const ir::Func derivative = passes::grad(parse(test::kLstm));
  const ir::Op* forward = nullptr;
  for (const ir::Op& op : derivative.ops)
    if (op.kind == ir::OpKind::scan && !op.attrs.reverse) forward = &op;
  ASSERT_TRUE(forward);
  // hs; and h, c (before the step), i, f, g, o, tanh c.
  EXPECT_EQ(ir::ScanView(*forward).ys, 8u) << ir::print(derivative);
}

/// Rows less what they share, which is their mean or not, normalised and seen by a loss.
std::string deviations(const std::string& share, const std::string& along) {
  const std::string kept = along == "1" ? "0" : "1";
  return "func @f(%x: f64[4,4], %g: f64[4,4]) -> (f64[]) {\n"
         "  %s = reduce_sum %x {axes=[" +
         along +
         "]} : f64[4]\n"
         "  %n = const {value=" +
         share +
         "} : f64[4]\n"
         "  %m = mul %s, %n : f64[4]\n"
         "  %ms = broadcast %m {axes=[" +
         kept +
         "]} : f64[4,4]\n"
         "  %c = sub %x, %ms : f64[4,4]\n"
         "  %cc = mul %c, %c : f64[4,4]\n"
         "  %v = reduce_sum %cc {axes=[1]} : f64[4]\n"
         "  %r = rsqrt %v : f64[4]\n"
         "  %rs = broadcast %r {axes=[0]} : f64[4,4]\n"
         "  %y = mul %c, %rs : f64[4,4]\n"
         "  %yg = mul %y, %g : f64[4,4]\n"
         "  %loss = reduce_sum %yg {axes=[0,1]} : f64[]\n"
         "  return %loss\n"
         "}\n";
}

/// What squares of deviations from a mean give has no mean to take away.
TEST(Grad, SquaresOfDeviations) {
  const std::string means = deviations("0.25", "1");
  EXPECT_LT(gradient_error(parse(means), {}), kTolerance);
  const ir::Func first = passes::grad(parse(means), {.wrt = {"x"}});
  ir::Builder b("again");
  std::vector<ir::Value> params;
  for (ir::Value v : first.params) params.push_back(b.param(first.type(v), first.value_name(v)));
  const ir::Value d = b.inline_func(first, params)[1];
  EXPECT_LT(gradient_error(std::move(b).finish({b.reduce_sum(b.mul(d, d), {0, 1})}), {}), 1e-8);
}

TEST(Grad, SquaresOfWhatIsNoDeviation) {
  for (const std::string& text : {deviations("0.125", "1"), deviations("0.25", "0")})
    EXPECT_LT(gradient_error(parse(text), {}), kTolerance) << text;
}

// A gradient of a gradient: the derivative is a function like any other.
TEST(Grad, SecondDerivative) {
  const ir::Func first = passes::grad(parse(test::kLstm), {.wrt = {"wh"}});
  ir::Builder b("norm");
  std::vector<ir::Value> params;
  for (ir::Value v : first.params) params.push_back(b.param(first.type(v), first.value_name(v)));
  const ir::Value g = b.inline_func(first, params)[1];
  const ir::Value norm = b.reduce_sum(b.mul(g, g), {0, 1});
  EXPECT_LT(gradient_error(std::move(b).finish({norm}), {{"T", 2}, {"B", 1}, {"I", 2}}), 1e-8);
}

TEST(Grad, DetachStopsIt) {
  const ir::Func f = parse(R"(
func @f(%x: f64[]) -> (f64[]) {
  %d = detach %x : f64[]
  %y = mul %d, %x : f64[]
  return %y
}
)");
  const std::vector<ir::Array> x{{DType::f64, {}, {3}}};
  EXPECT_EQ(ir::evaluate(passes::grad(f), x)[1].data[0], 3);
}

TEST(Grad, WithRespectToSome) {
  const ir::Func all = passes::grad(parse(test::kGru));
  const ir::Func some = passes::grad(parse(test::kGru), {.wrt = {"un", "x"}});
  ASSERT_EQ(some.results.size(), 4u);
  const DimValues dims{{"T", 3}, {"B", 2}};
  const auto inputs = test::random_inputs(all, dims, 5);
  const auto a = ir::evaluate(all, inputs), s = ir::evaluate(some, inputs);
  EXPECT_LT(test::difference(std::vector{s[2], s[3]}, std::vector{a[2 + 5], a[2 + 7]}), 1e-14);
}

TEST(Grad, VjpOfOneIsTheGradient) {
  const ir::Func f = parse(test::kLstm), v = passes::vjp(f);
  const DimValues dims{{"T", 3}, {"B", 2}, {"I", 2}};
  auto inputs = test::random_inputs(f, dims, 1);
  inputs.push_back({DType::f64, {}, {1}});
  EXPECT_LT(test::difference(ir::evaluate(v, inputs), test::gradients(f, dims)), 1e-14);
}

void expect_error(const std::string& text, const passes::Options& options, const std::string& message) {
  try {
    passes::grad(parse(text), options);
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.what(), message);
  }
}

TEST(Grad, Errors) {
  expect_error(test::kLstm, {.wrt = {"w"}}, "rondo: grad: lstm has no param `w`");
  expect_error(kOddities, {.wrt = {"ids"}},
               "rondo: grad: param `ids` of oddities is i32[T]: only floats have a gradient");
  expect_error("func @f(%x: f64[2]) -> (f64[2]) {\n  return %x\n}\n", {},
               "rondo: grad: the first result of f is f64[2], not a float scalar");
}

}  // namespace
}  // namespace rondo
