// Text of functions: exact round trips, and errors with their place.
#include "ir/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/builder.h"
#include "ir/verifier.h"
#include "support/error.h"

namespace rondo::ir {
namespace {

constexpr const char* kLstm =
    R"(func @lstm(%wx: f32[8,8], %wh: f32[2,8], %b: f32[8], %h0: f32[B,2], %c0: f32[B,2], %x: f32[T,B,8]) -> (f32[T,B,2], f32[B,2]) {
  %hT, %cT, %hs = scan consts(%wx, %u = %wh, %b) carry(%h = %h0, %c = %c0) xs(%xt = %x) {
    %zx = matmul %xt, %wx : f32[B,8]
    %zh = matmul %h, %u : f32[B,8]
    %0 = add %zx, %zh : f32[B,8]
    %1 = broadcast %b {axes=[1]} : f32[B,8]
    %z = add %0, %1 : f32[B,8]
    %2 = slice %z {axis=1, lo=0, hi=2} : f32[B,2]
    %i = sigmoid %2 : f32[B,2]
    %3 = slice %z {axis=1, lo=2, hi=4} : f32[B,2]
    %f = sigmoid %3 : f32[B,2]
    %4 = mul %f, %c : f32[B,2]
    %c1 = add %4, %i : f32[B,2]
    %h1 = tanh %c1 : f32[B,2]
    yield carry(%h1, %c1) ys(%h1)
  } : f32[B,2], f32[B,2], f32[T,B,2]
  return %hs, %hT
}
)";

TEST(Text, PrintsWhatItParses) {
  EXPECT_EQ(print(parse(kLstm)), kLstm);
  EXPECT_TRUE(verify(parse(kLstm)).empty());
}

TEST(Text, KeepsEveryFormOfScan) {
  const std::string text =
      R"(func @forms(%a: f64[3], %x: f64[4,3], %p: pred[]) -> (f64[3], f64[N,3], pred[5]) {
  %s, %ys = scan reverse trip(N) consts(%x) carry(%a) {
    %b = scan reverse carry(%s = %a) xs(%x) {
      %0 = add %s, %x : f64[3]
      yield carry(%0)
    } : f64[3]
    yield carry(%b) ys(%a)
  } : f64[3], f64[N,3]
  %ps = scan trip(5) consts(%p) {
    yield ys(%p)
  } : pred[5]
  return %s, %ys, %ps
}
)";
  EXPECT_EQ(print(parse(text)), text);
  EXPECT_TRUE(verify(parse(text)).empty());
}

TEST(Text, IgnoresCommentsAndSpace) {
  EXPECT_EQ(print(parse("// a comment\nfunc@f( %x :f32[ 2 ] )->(f32[2]){return // here\n%x}")),
            "func @f(%x: f32[2]) -> (f32[2]) {\n  return %x\n}\n");
}

TEST(Text, NumbersRoundTripExactly) {
  for (double x : {0.1, -0.0, 1.0 / 3, 5e-324, 1.7976931348623157e308, 1e22, 123456789012345680.0,
                   std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    Builder b("f");
    const Value c = b.constant({DType::f64, {}}, x);
    const Func f = std::move(b).finish({c});
    const double back = parse(print(f)).ops.at(0).attrs.number;
    EXPECT_EQ(back, x);
    EXPECT_EQ(std::signbit(back), std::signbit(x));
  }
  Builder b("f");
  const Value c = b.constant({DType::f64, {}}, -std::numeric_limits<double>::quiet_NaN());
  const std::string text = print(std::move(b).finish({c}));
  EXPECT_TRUE(std::isnan(parse(text).ops.at(0).attrs.number));
  EXPECT_EQ(print(parse(text)), text);
}

TEST(Text, MakesNamesUniqueAndLegal) {
  Builder b("my func");
  const Type t{DType::f32, {}};
  Value x = b.param(t, "x");
  b.param(t, "x.1");
  b.param(t, "7");
  b.param(t);
  x = b.neg(x);
  b.set_name(x, "x");
  x = b.neg(x);
  b.set_name(x, "a b%");
  x = b.neg(x);
  const std::string text = print(std::move(b).finish({x}));
  EXPECT_EQ(text,
            "func @my_func(%x: f32[], %x.1: f32[], %_7: f32[], %0: f32[]) -> (f32[]) {\n"
            "  %x.2 = neg %x : f32[]\n"
            "  %a_b_ = neg %x.2 : f32[]\n"
            "  %1 = neg %a_b_ : f32[]\n"
            "  return %1\n"
            "}\n");
  EXPECT_EQ(print(parse(text)), text);
}

TEST(Text, KeepsSourceNames) {
  const Func f = parse("func @f(%lstm.z: f32[], %0: f32[]) -> () { return }");
  EXPECT_EQ(f.value_name(f.params[0]), "lstm.z");
  EXPECT_EQ(f.value_name(f.params[1]), "");
}

struct BadText {
  const char* text;
  const char* error;
};

class TextErrors : public testing::TestWithParam<BadText> {};

TEST_P(TextErrors, SayWhereAndWhat) {
  try {
    parse(GetParam().text, "m.rondo");
    FAIL() << "parsed";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), GetParam().error);
  }
}

#define BODY(line) "func @f(%x: f32[2,3], %i: i32[], %p: pred[2,3]) -> () {\n  " line "\n  return\n}"
INSTANTIATE_TEST_SUITE_P(
    All, TextErrors,
    testing::Values(
        BadText{"", "m.rondo:1:1: expected `func`, found the end"},
        BadText{"function @f", "m.rondo:1:1: expected `func`, found `f`"},
        BadText{"func @(", "m.rondo:1:7: expected a name after `@`"},
        BadText{"func @f(%x f32[])", "m.rondo:1:12: expected `:`, found `f`"},
        BadText{"func @f(%x: f16[])", "m.rondo:1:13: unknown dtype `f16`"},
        BadText{"func @f(%x: f32[-1])", "m.rondo:1:17: expected a dim, found `-`"},
        BadText{"func @f(%x: f32[99999999999999999999])", "m.rondo:1:17: the integer is too large"},
        BadText{"func @f(%x: f32[0,1099511627776,2])", "m.rondo:1:13: the type has too many elements"},
        BadText{"func @f(%x: f32[], %x: f32[])", "m.rondo:1:20: `%x` is defined twice"},
        BadText{"func @f() -> () { return } \x01", "m.rondo:1:28: expected the end, found byte 0x01"},
        BadText{"func @f(%x: f32[]) -> (f64[]) { return %x }",
                "m.rondo:1:33: result 0 is f32[], the text says f64[]"},
        BadText{"func @f(%x: f32[]) -> () { return %x }", "m.rondo:1:28: 1 results, but 0 types"},
        BadText{BODY("%y = matmull %x, %x : f32[2,2]"), "m.rondo:2:8: unknown op `matmull`"},
        BadText{BODY("%y = neg %z : f32[2]"), "m.rondo:2:12: `%z` is not defined"},
        BadText{BODY("%x = neg %x : f32[2,3]"), "m.rondo:2:3: `%x` is defined twice"},
        BadText{BODY("%y = neg %x : f32[2,4]"), "m.rondo:2:8: result 0 is f32[2,3], the text says f32[2,4]"},
        BadText{BODY("%y = neg %x, %x : f32[2,3]"),
                "m.rondo:2:8: neg: f32[2,3] x f32[2,3]: takes 1 operands, has 2"},
        BadText{BODY("%y = matmul %x, %x : f32[2,3]"),
                "m.rondo:2:8: matmul: f32[2,3] x f32[2,3]: inner dims 3 and 2 differ"},
        BadText{BODY("%y = matmul %x, %x {tc} : f32[2,2]"),
                "m.rondo:2:23: `matmul` has no attribute `tc` here"},
        BadText{BODY("%y = matmul %x, %x {tb, tb} : f32[2,2]"),
                "m.rondo:2:27: `matmul` has no attribute `tb` here"},
        BadText{BODY("%y = slice %x {axis=0, lo=0} : f32[2,3]"),
                "m.rondo:2:26: `slice` lacks the attribute `hi`"},
        BadText{BODY("%y = slice %x : f32[2,3]"), "m.rondo:2:17: `slice` lacks the attribute `axis`"},
        BadText{BODY("%y = const {value=x} : f32[]"), "m.rondo:2:21: expected a number, found `x`"},
        BadText{BODY("%y = const {value=1e999} : f32[]"), "m.rondo:2:21: the number does not fit a double"},
        BadText{BODY("%y = const {value=0.5} : i32[]"), "m.rondo:2:8: const: 0.5 is no i32"},
        BadText{BODY("%y, %z = neg %x : f32[2,3]"), "m.rondo:2:12: 1 results, but 2 names"},
        BadText{BODY("%y = scan carry(%i) { yield carry(%i) } : i32[]"),
                "m.rondo:2:8: a scan without xs takes a trip count"},
        BadText{BODY("%y = scan trip(3) xs(%x) { yield ys(%x) } : f32[2,3]"),
                "m.rondo:2:8: a scan with xs takes no trip count"},
        BadText{BODY("%y = scan chunks(65) xs(%x) { yield ys(%x) } : f32[2,3]"),
                "m.rondo:2:8: scan: 65 chunks of time; there may be 0 to 64"},
        BadText{BODY("%y = scan xs(%i) { yield ys(%i) } : i32[]"),
                "m.rondo:2:16: `%i` is a scalar and has no leading dim"},
        BadText{BODY("%y = scan trip(3) { yield ys(%i) } : i32[3]"), "m.rondo:2:32: `%i` is not defined"},
        BadText{BODY("%y = scan trip(3) carry(%i) { yield ys(%i) } : i32[3]"),
                "m.rondo:2:33: 1 carries, but 0 are yielded"},
        BadText{BODY("%y = scan trip(3) consts(%x) carry(%i) { yield carry(%x) } : i32[]"),
                "m.rondo:2:8: scan: carry 0 is i32[], the body yields f32[2,3]"},
        BadText{BODY("%y = scan trip(3) { yield } : i32[]"), "m.rondo:2:8: scan: has no results"}));

TEST(Text, BoundsNesting) {
  std::string text = "func @f(%x: f32[]) -> () {";
  for (int i = 0; i < 100000; ++i) text += "%y = scan trip(2) carry(%x) {";
  EXPECT_THROW(parse(text), Error);
}

}  // namespace
}  // namespace rondo::ir
