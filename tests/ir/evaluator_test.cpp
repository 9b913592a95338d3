// The evaluator: named dims, scans in all their forms, and errors of inputs.
#include "ir/evaluator.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "support/error.h"
#include "support/threefry.h"
#include "tests/runtime/util.h"

namespace rondo::ir {
namespace {

using rondo::testing::error_of;
using Data = std::vector<double>;

Array f64(std::vector<int64_t> shape, Data data) { return {DType::f64, std::move(shape), std::move(data)}; }

/// s <- 2 s + x, y = s before; what a scan over {1, 2, 4} from s = 10 gives.
std::vector<Array> doubling(const std::string& direction, const Data& x) {
  const Func f = parse("func @f(%s0: f64[], %x: f64[T]) -> (f64[], f64[T]) {\n %s1, %ys = scan " + direction +
                       R"( carry(%s = %s0) xs(%x) {
    %d = add %s, %s : f64[]
    %n = add %d, %x : f64[]
    yield carry(%n) ys(%s)
  } : f64[], f64[T]
  return %s1, %ys
})");
  return evaluate(f, std::vector<Array>{f64({}, {10}), f64({static_cast<int64_t>(x.size())}, x)});
}

TEST(Evaluator, ScansForward) {
  const auto out = doubling("", {1, 2, 4});
  EXPECT_EQ(out[0].data, (Data{92}));
  EXPECT_EQ(out[1].data, (Data{10, 21, 44}));
}

TEST(Evaluator, ScansInReverseAndKeepsPlaces) {
  const auto out = doubling("reverse", {1, 2, 4});
  EXPECT_EQ(out[0].data, (Data{101}));
  EXPECT_EQ(out[1].data, (Data{50, 24, 10}));
}

TEST(Evaluator, ScanOfNoStepsPassesTheCarry) {
  const auto out = doubling("", {});
  EXPECT_EQ(out[0].data, (Data{10}));
  EXPECT_EQ(out[1].shape, (std::vector<int64_t>{0}));
}

TEST(Evaluator, ScansWithoutXsTakeTheTripCountFromTheCall) {
  const Func f = parse(R"(func @f(%w: f64[], %s: f64[]) -> (f64[], f64[N]) {
    %r, %ys = scan trip(N) consts(%w) carry(%s) {
      %n = mul %s, %w : f64[]
      yield carry(%n) ys(%n)
    } : f64[], f64[N]
    return %r, %ys
  })");
  const std::vector<Array> in = {f64({}, {3}), f64({}, {1})};
  const auto out = evaluate(f, in, {{"N", 4}});
  EXPECT_EQ(out[0].data, (Data{81}));
  EXPECT_EQ(out[1].data, (Data{3, 9, 27, 81}));
  EXPECT_THROW(evaluate(f, in), Error);
}

TEST(Evaluator, ScansNest) {
  // For each row, the sum of its elements; then the running sum over rows.
  const Func f = parse(R"(func @f(%x: f64[T,N]) -> (f64[T]) {
    %zero = const {value=0} : f64[]
    %s, %ys = scan carry(%s = %zero) xs(%row = %x) {
      %sum = scan carry(%a = %s) xs(%e = %row) {
        %n = add %a, %e : f64[]
        yield carry(%n)
      } : f64[]
      yield carry(%sum) ys(%sum)
    } : f64[], f64[T]
    return %ys
  })");
  EXPECT_EQ(evaluate(f, std::vector<Array>{f64({2, 3}, {1, 2, 3, 10, 20, 30})})[0].data, (Data{6, 66}));
}

TEST(Evaluator, SizesAreThoseOfTheCall) {
  const Func f = parse("func @f(%x: f32[T,B]) -> (i32[]) { %n = size {dim=B} : i32[] return %n }");
  EXPECT_EQ(evaluate(f, std::vector<Array>{{DType::f32, {1, 3}, {0, 0, 0}}})[0].data, (Data{3}));
}

TEST(Evaluator, ArithmeticOnI32Wraps) {
  const Func f = parse(
      "func @f(%x: i32[2]) -> (i32[2], i32[2]) {\n %a = add %x, %x : i32[2]\n %m = mul %x, %x : i32[2]\n "
      "return %a, %m }");
  const auto out = evaluate(f, std::vector<Array>{{DType::i32, {2}, {2147483647, 123456789}}});
  EXPECT_EQ(out[0].data, (Data{-2, 246913578}));
  EXPECT_EQ(out[1].data, (Data{1, -1757895751}));
}

TEST(Evaluator, RandomIsAFunctionOfKeyCounterAndPosition) {
  const Func f =
      parse("func @f(%k: i32[], %c: i32[]) -> (f64[2,3]) { %r = random %k, %c : f64[2,3] return %r }");
  const auto run = [&](double key, double counter) {
    return evaluate(f, std::vector<Array>{{DType::i32, {}, {key}}, {DType::i32, {}, {counter}}})[0].data;
  };
  EXPECT_EQ(run(1, 2), run(1, 2));
  EXPECT_NE(run(1, 2), run(2, 2));
  EXPECT_NE(run(1, 2), run(1, 3));
  for (double x : run(-7, 9)) EXPECT_TRUE(x >= 0 && x < 1) << x;
}

TEST(Threefry, MatchesThePublishedVectors) {
  // Known answers of Threefry-2x32-20 from the authors' Random123 (kat_vectors): counter, key, first word.
  EXPECT_EQ(threefry(0, 0, 0, 0), 0x6b200159u);
  EXPECT_EQ(threefry(~0u, ~0u, ~0u, ~0u), 0x1cb996fcu);
  EXPECT_EQ(threefry(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3), 0xc4923a9cu);
}

TEST(Evaluator, SaysWhichInputDoesNotFit) {
  const Func f = parse("func @f(%x: f64[T,2], %y: f64[T]) -> (f64[T]) { return %y }");
  EXPECT_EQ(error_of([&] {
              evaluate(f, std::vector<Array>{f64({1, 2}, {0, 0})});
            }),
            "rondo: f takes 2 inputs, not 1");
  EXPECT_EQ(error_of([&] {
              evaluate(f, std::vector<Array>{f64({1, 2}, {0, 0}), f64({2}, {0, 0})});
            }),
            "rondo: f: input 1 `y` is [T], not [2]: dim T is 1");
  EXPECT_EQ(error_of([&] {
              evaluate(f, std::vector<Array>{f64({1, 3}, {0, 0, 0}), f64({1}, {0})});
            }),
            "rondo: f: input 0 `x` is [T,2], not [1,3]: dim 2 is 2");
  EXPECT_EQ(error_of([&] {
              evaluate(f, std::vector<Array>{f64({2}, {0, 0}), f64({1}, {0})});
            }),
            "rondo: f: input 0 `x` is [T,2], not [2]: ranks differ");
  EXPECT_EQ(error_of([&] {
              evaluate(f, std::vector<Array>{f64({1, 2}, {0, 0}), {DType::f32, {1}, {0}}});
            }),
            "rondo: f: input 1 `y` is f64[T], not f32[1] with 1 elements");
}

TEST(Evaluator, RejectsIdsOutOfRange) {
  const Func f =
      parse("func @f(%e: f64[3], %i: i32[2]) -> (f64[2]) { %r = gather %e, %i : f64[2] return %r }");
  const auto run = [&](double id) {
    return evaluate(f, std::vector<Array>{f64({3}, {5, 6, 7}), {DType::i32, {2}, {1, id}}})[0].data;
  };
  EXPECT_EQ(run(2), (Data{6, 7}));
  EXPECT_EQ(error_of([&] { run(3); }), "rondo: id 3 at position 1 is outside [0, 3)");
  EXPECT_EQ(error_of([&] { run(-1); }), "rondo: id -1 at position 1 is outside [0, 3)");
}

}  // namespace
}  // namespace rondo::ir
