// Scans with lengths: what they mean, and what is refused.
#include <gtest/gtest.h>

#include "ir/evaluator.h"
#include "ir/text.h"
#include "support/error.h"
#include "tests/runtime/util.h"

namespace rondo::ir {
namespace {

using rondo::testing::error_of;
using Data = std::vector<double>;

Array f64(std::vector<int64_t> shape, Data data) { return {DType::f64, std::move(shape), std::move(data)}; }
Array i32(std::vector<int64_t> shape, Data data) { return {DType::i32, std::move(shape), std::move(data)}; }

std::string running_sum(const std::string& direction) {
  return "func @f(%s: f64[B], %x: f64[T,B], %L: i32[B]) -> (f64[B], f64[T,B]) { %l, %ys = scan " + direction +
         " lengths(%L) carry(%s) xs(%x) { %n = add %s, %x : f64[B] yield carry(%n) ys(%n) } : f64[B], "
         "f64[T,B]"
         " return %l, %ys }";
}

// Three rows of lengths 3, 1 and 0; 100 is padding.
const std::vector<Array> kInputs{f64({3}, {0, 0, 7}), f64({3, 3}, {1, 10, 100, 2, 100, 100, 3, 100, 100}),
                                 i32({3}, {3, 1, 0})};

TEST(Lengths, ARowsStateStaysAndItsOutputsAreZeroBeyond) {
  const auto out = evaluate(parse(running_sum("")), kInputs);
  EXPECT_EQ(out[0].data, (Data{6, 10, 7}));
  EXPECT_EQ(out[1].data, (Data{1, 10, 0, 3, 0, 0, 6, 0, 0}));
}

TEST(Lengths, InReverseARowStartsAtItsOwnLastStep) {
  const auto out = evaluate(parse(running_sum("reverse")), kInputs);
  EXPECT_EQ(out[0].data, (Data{6, 10, 7}));
  EXPECT_EQ(out[1].data, (Data{6, 10, 0, 5, 0, 0, 3, 0, 0}));
}

TEST(Lengths, WithoutXsAndForIntegers) {
  const Func f = parse(
      "func @f(%s: i32[B], %L: i32[B]) -> (i32[B], i32[N,B]) { %l, %ys = scan lengths(%L) trip(N) carry(%s) {"
      " %one = const {value=1} : i32[B] %n = add %s, %one : i32[B] yield carry(%n) ys(%n) } : i32[B], "
      "i32[N,B]"
      " return %l, %ys }");
  const auto out = evaluate(f, std::vector<Array>{i32({2}, {5, 8}), i32({2}, {1, 2})}, {{"N", 2}});
  EXPECT_EQ(out[0].data, (Data{6, 10}));
  EXPECT_EQ(out[1].data, (Data{6, 9, 0, 10}));
}

TEST(Lengths, TheBodyReadsZerosBeyondWhereItSumsOverRows) {
  const Func f = parse(
      "func @f(%x: f64[T,B], %L: i32[B]) -> (f64[T,B]) { %ys = scan lengths(%L) xs(%x) {"
      " %s = reduce_sum %x {axes=[0]} : f64[] %y = broadcast %s {axes=[]} : f64[B] yield ys(%y) } : f64[T,B]"
      " return %ys }");
  const auto out = evaluate(f, std::vector<Array>{kInputs[1], kInputs[2]});
  EXPECT_EQ(out[0].data, (Data{11, 11, 0, 2, 0, 0, 3, 0, 0}));
}

TEST(Lengths, OutOfRangeAreErrors) {
  const auto run = [&](Data lengths) {
    return error_of([&] {
      auto inputs = kInputs;
      inputs[2].data = std::move(lengths);
      evaluate(parse(running_sum("")), inputs);
    });
  };
  EXPECT_EQ(run({3, 4, 0}), "rondo: scan: the length of row 1 is 4, outside [0, 3]");
  EXPECT_EQ(run({3, 3, -1}), "rondo: scan: the length of row 2 is -1, outside [0, 3]");
}

struct Refused {
  std::string scan, why;
};
class LengthRules : public ::testing::TestWithParam<Refused> {};

TEST_P(LengthRules, SayWhy) {
  const std::string text =
      "func @f(%s: f64[B], %t: f64[2], %x: f64[T,B], %u: f64[T,2], %L: i32[B], %M: f64[B])"
      " -> () { " +
      GetParam().scan + " return }";
  const std::string error = error_of([&] { parse(text, "m"); });
  EXPECT_EQ(error.find("rondo"), std::string::npos);
  EXPECT_NE(error.find("scan: " + GetParam().why), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(
    All, LengthRules,
    ::testing::Values(Refused{"%r = scan lengths(%M) carry(%s) xs(%x) { yield carry(%s) } : f64[B]",
                              "lengths are i32[B], not f64[B]"},
                      Refused{"%r = scan lengths(%L) carry(%t) xs(%x) { yield carry(%t) } : f64[2]",
                              "lengths are i32[B], so carry 0 has B as its leading dim; it is f64[2]"},
                      Refused{
                          "%r = scan lengths(%L) carry(%s) xs(%x, %u) { yield carry(%s) } : f64[B]",
                          "lengths are i32[B], so the slice of x 1 has B as its leading dim; it is f64[2]"},
                      Refused{"%r = scan lengths(%L) consts(%t) xs(%x) { yield ys(%t) } : f64[T,2]",
                              "lengths are i32[B], so y 0 has B as its leading dim; it is f64[2]"}));

}  // namespace
}  // namespace rondo::ir
