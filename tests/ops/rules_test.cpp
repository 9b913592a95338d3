// The type rules reject what does not fit, and say why; values where an op's definition is subtle.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/evaluator.h"
#include "ir/text.h"
#include "support/error.h"

namespace rondo::ir {
namespace {

std::string with_op(const std::string& params, const std::string& op) {
  return "func @f(" + params + ") -> (" + op.substr(op.rfind(" : ") + 3) + ") {\n%r = " + op +
         "\nreturn %r\n}";
}

struct Rejected {
  const char* params;
  const char* op;
  const char* why;
};

class TypeRules : public testing::TestWithParam<Rejected> {};

TEST_P(TypeRules, SayWhy) {
  try {
    parse(with_op(GetParam().params, GetParam().op));
    FAIL() << "accepted";
  } catch (const Error& e) {
    const std::string what = e.what(), why = GetParam().why;
    EXPECT_TRUE(what.ends_with(": " + why)) << what;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, TypeRules,
    testing::Values(
        Rejected{"", "const {value=2} : pred[]", "a pred is 0 or 1, not 2"},
        Rejected{"", "const {value=nan} : i32[]", "nan is no i32"},
        Rejected{"", "const {value=2147483648} : i32[]", "2147483648 is no i32"},
        Rejected{"", "iota {axis=1} : i32[4]", "axis 1 is not in [0, 1)"},
        Rejected{"", "iota {axis=0} : pred[4]", "takes numbers, not pred"},
        Rejected{"", "size {dim=T} : i32[1]", "the result is a scalar, not i32[1]"},
        Rejected{"%k: i32[2], %c: i32[]", "random %k, %c : f32[4]", "the key is i32[], not i32[2]"},
        Rejected{"%k: i32[], %c: f32[]", "random %k, %c : f32[4]", "counters are i32, not f32"},
        Rejected{"%k: i32[], %c: i32[3]", "random %k, %c : f32[4,3]",
                 "the result's leading dims are the counters' [3], not those of f32[4,3]"},
        Rejected{"%x: f32[2]", "in_range %x {lo=0, hi=0, dim=4} : f32[2]", "ids and lengths are i32, not f32"},
        Rejected{"%x: i32[2]", "in_range %x {lo=0, hi=-1, dim=4} : i32[2]", "hi is -1, not from 0"},
        Rejected{"%x: i32[2]", "in_range %x {lo=1, hi=0, dim=4} : i32[2]", "lo is 1, not up to 0"},
        Rejected{"%k: i32[], %c: i32[]", "random %k, %c : i32[4]", "takes f32 or f64, not i32"},
        Rejected{"%x: f32[2]", "cast %x : f64[3]", "cast keeps the shape, f64[3] differs"},
        Rejected{"%x: i32[2]", "exp %x : i32[2]", "takes f32 or f64, not i32"},
        Rejected{"%x: i32[2]", "div %x, %x : i32[2]", "takes f32 or f64, not i32"},
        Rejected{"%x: pred[2]", "neg %x : pred[2]", "takes numbers, not pred"},
        Rejected{"%x: f32[T], %y: f32[5]", "add %x, %y : f32[T]", "operand types differ"},
        Rejected{"%x: f32[5], %y: f64[5]", "less %x, %y : pred[5]", "operand types differ"},
        Rejected{"%p: f32[5]", "select %p, %p, %p : f32[5]", "the first operand chooses, it is a pred"},
        Rejected{"%p: pred[5], %x: f32[5], %y: f32[4]", "select %p, %x, %y : f32[5]", "operand types differ"},
        Rejected{"%p: pred[5], %x: f32[4]", "select %p, %x, %x : f32[4]", "operand shapes differ"},
        Rejected{"%x: f32[2,3]", "reshape %x : f32[7]",
                 "cannot become [7]: 6 and 7 elements between named dims"},
        Rejected{"%x: f32[T,6]", "reshape %x : f32[2,T,3]",
                 "cannot become [2,T,3]: 1 and 2 elements between named dims"},
        Rejected{"%x: f32[T,B]", "reshape %x : f32[B,T]", "cannot become [B,T]: named dims keep their place"},
        Rejected{"%x: f32[T]", "reshape %x : f32[]", "cannot become []: named dims keep their place"},
        Rejected{"%x: f32[2]", "reshape %x : f64[2]", "cannot become f64[2]"},
        Rejected{"%x: f32[2,3]", "transpose %x {axes=[0]} : f32[2]", "1 axes for 2 dims"},
        Rejected{"%x: f32[2,3]", "transpose %x {axes=[0,0]} : f32[2,2]", "axis 0 stands twice"},
        Rejected{"%x: f32[2,3]", "transpose %x {axes=[0,-1]} : f32[2,3]", "axis -1 is not in [0, 2)"},
        Rejected{"%x: f32[1]", "broadcast %x {axes=[0]} : f32[4]", "dim 1 cannot become dim 0 of f32[4]"},
        Rejected{"%x: f32[2,3]", "broadcast %x {axes=[1,0]} : f32[3,2]", "axes must ascend"},
        Rejected{"%x: f32[T]", "slice %x {axis=0, lo=0, hi=1} : f32[1]", "dim T has a name, not a number"},
        Rejected{"%x: f32[4]", "slice %x {axis=0, lo=3, hi=5} : f32[2]", "[3, 5) is not within [0, 4)"},
        Rejected{"%x: f32[4]", "slice %x {axis=0, lo=3, hi=2} : f32[1]", "[3, 2) is not within [0, 4)"},
        Rejected{"%x: f32[4]", "pad %x {axis=0, lo=-1, hi=2} : f32[5]", "the extent -1 is not in [0, 2^40]"},
        Rejected{"%x: f32[4,2], %y: f32[4,3]", "concat %x, %y {axis=0} : f32[8,2]",
                 "f32[4,2] and f32[4,3] differ beside axis 0"},
        Rejected{"", "concat {axis=0} : f32[8,2]", "takes at least one operand"},
        Rejected{"%e: f32[], %i: i32[]", "gather %e, %i : f32[]", "a scalar has no rows"},
        Rejected{"%e: f32[3], %i: f32[]", "gather %e, %i : f32[]", "ids are i32, not f32"},
        Rejected{"%i: i32[2], %u: f32[2,3]", "scatter_add %i, %u : f32[9,4]",
                 "updates for f32[9,4] are f32[2,4]"},
        Rejected{"%a: f32[B,64], %b: f32[256,8]", "matmul %a, %b : f32[B,8]", "inner dims 64 and 256 differ"},
        Rejected{"%a: f32[2,2]", "matmul %a, %a {ta, tb} : f32[2,2]", "ta and tb do not go together"},
        Rejected{"%a: f32[2,2], %b: f32[3,2]", "matmul %a, %b {ta} : f32[2,2]",
                 "leading dims [2] and [3] differ"},
        Rejected{"%a: f32[2]", "matmul %a, %a {ta} : f32[2,2]", "the left operand has too few dims"},
        Rejected{"%a: f32[2]", "matmul %a, %a : f32[]", "the right operand is a matrix"},
        Rejected{"%a: i32[2,2]", "matmul %a, %a : i32[2,2]", "takes f32 or f64, not i32"},
        Rejected{"%x: f32[2,2]", "reduce_sum %x {axes=[1,0]} : f32[]", "axes must ascend"},
        Rejected{"%x: pred[2,2]", "reduce_max %x {axes=[1]} : pred[2]", "takes numbers, not pred"},
        Rejected{"%x: f32[2,2]", "argmax %x {axis=2} : i32[2]", "axis 2 is not in [0, 2)"}));

std::vector<double> value(const std::string& params, const std::string& op, std::vector<Array> inputs) {
  return evaluate(parse(with_op(params, op)), inputs)[0].data;
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();
using Data = std::vector<double>;

TEST(Values, CastsSaturate) {
  const Array x = {DType::f64, {6}, {1.9, -1.9, 1e10, -kInfinity, std::nan(""), 0.0}};
  EXPECT_EQ(value("%x: f64[6]", "cast %x : i32[6]", {x}), (Data{1, -1, 2147483647, -2147483648.0, 0, 0}));
  EXPECT_EQ(value("%x: f64[6]", "cast %x : pred[6]", {x}), (Data{1, 1, 1, 1, 1, 0}));
}

TEST(Values, ArgmaxIsTheFirst) {
  EXPECT_EQ(value("%x: f64[2,3]", "argmax %x {axis=1} : i32[2]",
                  {{DType::f64, {2, 3}, {1, 5, 5, -kInfinity, -kInfinity, -kInfinity}}}),
            (Data{1, 0}));
}

TEST(Values, ReductionsOfNothing) {
  const Array none = {DType::f64, {0}, {}};
  EXPECT_EQ(value("%x: f64[0]", "reduce_max %x {axes=[0]} : f64[]", {none}), (Data{-kInfinity}));
  EXPECT_EQ(value("%x: f64[0]", "reduce_sum %x {axes=[0]} : f64[]", {none}), (Data{0}));
}

TEST(Values, MatmulForms) {
  const Array a = {DType::f64, {2, 3}, {1, 2, 3, 4, 5, 6}}, b = {DType::f64, {3, 2}, {1, 0, 2, 1, 0, 3}};
  EXPECT_EQ(value("%a: f64[2,3], %b: f64[3,2]", "matmul %a, %b : f64[2,2]", {a, b}), (Data{5, 11, 14, 23}));
  EXPECT_EQ(value("%a: f64[2,3]", "matmul %a, %a {tb} : f64[2,2]", {a}), (Data{14, 32, 32, 77}));
  EXPECT_EQ(value("%b: f64[3,2]", "matmul %b, %b {ta} : f64[2,2]", {b}), (Data{5, 2, 2, 10}));
}

TEST(Values, MovementGoesWhereItSays) {
  const Array x = {DType::f64, {2, 3}, {0, 1, 2, 3, 4, 5}};
  EXPECT_EQ(value("%x: f64[2,3]", "transpose %x {axes=[1,0]} : f64[3,2]", {x}), (Data{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(value("%x: f64[2,3]", "slice %x {axis=1, lo=1, hi=3} : f64[2,2]", {x}), (Data{1, 2, 4, 5}));
  EXPECT_EQ(value("%x: f64[2,3]", "pad %x {axis=0, lo=1, hi=0} : f64[3,3]", {x}),
            (Data{0, 0, 0, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(value("%x: f64[2,3]", "concat %x, %x {axis=1} : f64[2,6]", {x}),
            (Data{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}));
  EXPECT_EQ(value("%x: f64[2,3]", "broadcast %x {axes=[0,2]} : f64[2,2,3]", {x}),
            (Data{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}));
}

TEST(Values, ScatterAddSumsEqualIds) {
  EXPECT_EQ(value("%i: i32[3], %u: f64[3]", "scatter_add %i, %u : f64[2]",
                  {{DType::i32, {3}, {1, 0, 1}}, {DType::f64, {3}, {1, 2, 4}}}),
            (Data{2, 5}));
}

}  // namespace
}  // namespace rondo::ir
