// One row a rule: what it does to text, and that nothing changes in value.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "ir/arrays.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "passes/rewriter.h"

namespace rondo {
namespace {

struct Row {
  std::string_view identity;  // as in the table of rules
  std::string params, type, ops, result, simplified_ops, simplified_result;
};

std::string text_of(const Row& row, const std::string& ops, const std::string& result) {
  return fmt::format("func @f({}) -> ({}) {{\n{}\n  return {}\n}}\n", row.params, row.type, ops, result);
}

const std::string kX = "%x: f32[B,2]", kXY = "%x: f32[B,2], %y: f32[B,2]", kT = "f32[B,2]";
const std::string kZero = "%c = const {value=0} : f32[B,2]\n";

std::vector<Row> rows() {
  const std::string_view fold = "an op of numbers is a number";
  auto folded = [&](const std::string& op, const std::string& a, const std::string& b, const std::string& r,
                    const std::string& name = "%r") {
    return Row{fold,
               "%x: f32[]",
               "f32[3]",
               fmt::format("%a = const {{value={}}} : f32[3]\n{}%r = {} : f32[3]", a,
                           b.empty() ? "" : fmt::format("%b = const {{value={}}} : f32[3]\n", b),
                           b.empty() ? op + " %a" : op + " %a, %b"),
               "%r",
               fmt::format("{} = const {{value={}}} : f32[3]", name, r),
               name};
  };
  return {
      {"x + 0 = x", kX, kT, kZero + "%r = add %c, %x : f32[B,2]", "%r", "", "%x"},
      {"x + -y = x - y", kXY, kT, "%n = neg %x : f32[B,2]\n%r = add %n, %y : f32[B,2]", "%r",
       "%r = sub %y, %x : f32[B,2]", "%r"},
      {"x - 0 = x, 0 - x = -x", kX, kT, kZero + "%d = sub %x, %c : f32[B,2]\n%r = sub %c, %d : f32[B,2]",
       "%r", "%r = neg %x : f32[B,2]", "%r"},
      {"x - -y = x + y", kXY, kT, "%n = neg %y : f32[B,2]\n%r = sub %x, %n : f32[B,2]", "%r",
       "%r = add %x, %y : f32[B,2]", "%r"},
      {"x * 1 = x, x * -1 = -x", kX, kT,
       "%i = const {value=1} : f32[B,2]\n%j = const {value=-1} : f32[B,2]\n%a = mul %i, %x : f32[B,2]\n%r = "
       "mul %a, %j : f32[B,2]",
       "%r", "%r = neg %x : f32[B,2]", "%r"},
      {"x * 0 = 0 of integers", "%x: i32[3]", "i32[3]",
       "%c = const {value=0} : i32[3]\n%r = mul %x, %c : i32[3]", "%r", "%c = const {value=0} : i32[3]",
       "%c"},
      {"-x * -y = x * y", kXY, kT,
       "%a = neg %x : f32[B,2]\n%b = neg %y : f32[B,2]\n%r = mul %a, %b : f32[B,2]", "%r",
       "%r = mul %x, %y : f32[B,2]", "%r"},
      {"x y + 0 = x y, x * 1 + z = x + z, x * -1 + z = z - x", kXY, kT,
       kZero + "%i = const {value=1} : f32[B,2]\n%j = const {value=-1} : f32[B,2]\n%a = fma %x, %y, %c : "
               "f32[B,2]\n%b = fma %a, %i, %x : f32[B,2]\n%r = fma %j, %b, %y : f32[B,2]",
       "%r", "%a = mul %x, %y : f32[B,2]\n%b = add %a, %x : f32[B,2]\n%r = sub %y, %b : f32[B,2]", "%r"},
      {"x / 2^k = x * 2^-k", kX, kT, "%c = const {value=-8} : f32[B,2]\n%r = div %x, %c : f32[B,2]", "%r",
       "%0 = const {value=-0.125} : f32[B,2]\n%r = mul %x, %0 : f32[B,2]", "%r"},
      {"-(-x) = x", kX, kT, "%n = neg %x : f32[B,2]\n%r = neg %n : f32[B,2]", "%r", "", "%x"},
      {"max(x, x) = x", kX, kT, "%r = max %x, %x : f32[B,2]", "%r", "", "%x"},
      {"min(x, x) = x", kX, kT, "%r = min %x, %x : f32[B,2]", "%r", "", "%x"},
      {"a known choice", kXY, kT, "%p = const {value=0} : pred[B,2]\n%r = select %p, %x, %y : f32[B,2]", "%r",
       "", "%y"},
      {"a known choice", kX + ", %p: pred[B,2]", kT, "%r = select %p, %x, %x : f32[B,2]", "%r", "", "%x"},
      {"a cast to the same dtype", kX, kT, "%r = cast %x : f32[B,2]", "%r", "", "%x"},
      {"the size of a numeric dim is a number", kX, "f32[]", "%r = size {dim=7} : f32[]", "%r",
       "%r = const {value=7} : f32[]", "%r"},
      folded("add", "1", "2", "3"),
      folded("sub", "1", "2.5", "-1.5"),
      folded("mul", "3", "2", "6"),
      folded("div", "1", "3", "0.3333333432674408"),
      folded("neg", "2", "", "-2"),
      folded("abs", "-2", "", "2"),
      folded("floor", "-1.5", "", "-2"),
      folded("max", "1", "2", "2", "%b"),
      folded("min", "1", "2", "1", "%a"),
      {fold, kX, "i32[]", "%a = const {value=2.9} : f32[]\n%r = cast %a : i32[]", "%r",
       "%r = const {value=2} : i32[]", "%r"},
      {fold, kX, "pred[]",
       "%a = const {value=1} : f32[]\n%b = const {value=2} : f32[]\n%r = less %a, %b : pred[]", "%r",
       "%r = const {value=1} : pred[]", "%r"},
      {fold, kX, "pred[]",
       "%a = const {value=1} : f32[]\n%b = const {value=2} : f32[]\n%r = equal %a, %b : pred[]", "%r",
       "%r = const {value=0} : pred[]", "%r"},

      {"a reshape to the same shape", kX, kT, "%r = reshape %x : f32[B,2]", "%r", "", "%x"},
      {"a reshape of a number", kX, "f32[6]", "%c = const {value=2} : f32[2,3]\n%r = reshape %c : f32[6]",
       "%r", "%r = const {value=2} : f32[6]", "%r"},
      {"a reshape of a reshape", "%x: f32[2,3]", "f32[3,2]",
       "%a = reshape %x : f32[6]\n%r = reshape %a : f32[3,2]", "%r", "%r = reshape %x : f32[3,2]", "%r"},
      {"a transpose that keeps the order", kX, kT, "%r = transpose %x {axes=[0,1]} : f32[B,2]", "%r", "",
       "%x"},
      {"a transpose of a number", kX, "f32[2,B]",
       "%c = const {value=2} : f32[B,2]\n%r = transpose %c {axes=[1,0]} : f32[2,B]", "%r",
       "%r = const {value=2} : f32[2,B]", "%r"},
      {"a transpose of a transpose", "%x: f32[2,3,4]", "f32[4,3,2]",
       "%a = transpose %x {axes=[1,2,0]} : f32[3,4,2]\n%r = transpose %a {axes=[1,0,2]} : f32[4,3,2]", "%r",
       "%r = transpose %x {axes=[2,1,0]} : f32[4,3,2]", "%r"},
      {"a broadcast to the same shape", kX, kT, "%r = broadcast %x {axes=[0,1]} : f32[B,2]", "%r", "", "%x"},
      {"a broadcast of a number", kX, kT,
       "%c = const {value=2} : f32[]\n%r = broadcast %c {axes=[]} : f32[B,2]", "%r",
       "%r = const {value=2} : f32[B,2]", "%r"},
      {"a broadcast of a broadcast", "%x: f32[2]", "f32[3,B,2]",
       "%a = broadcast %x {axes=[1]} : f32[B,2]\n%r = broadcast %a {axes=[1,2]} : f32[3,B,2]", "%r",
       "%r = broadcast %x {axes=[2]} : f32[3,B,2]", "%r"},
      {"a slice of everything", kX, kT, "%r = slice %x {axis=1, lo=0, hi=2} : f32[B,2]", "%r", "", "%x"},
      {"a slice of a number", kX, "f32[B,1]", kZero + "%r = slice %c {axis=1, lo=0, hi=1} : f32[B,1]", "%r",
       "%r = const {value=0} : f32[B,1]", "%r"},
      {"a slice of a slice", "%x: f32[9]", "f32[2]",
       "%a = slice %x {axis=0, lo=3, hi=8} : f32[5]\n%r = slice %a {axis=0, lo=1, hi=3} : f32[2]", "%r",
       "%r = slice %x {axis=0, lo=4, hi=6} : f32[2]", "%r"},
      {"a slice of a concat", kXY, "f32[B,1]",
       "%a = concat %x, %y {axis=1} : f32[B,4]\n%r = slice %a {axis=1, lo=3, hi=4} : f32[B,1]", "%r",
       "%r = slice %y {axis=1, lo=1, hi=2} : f32[B,1]", "%r"},
      {"a slice of a concat", kXY + ", %z: f32[B,2]", "f32[B,4]",
       "%a = concat %x, %y, %z {axis=1} : f32[B,6]\n%r = slice %a {axis=1, lo=1, hi=5} : f32[B,4]", "%r",
       "%0 = slice %x {axis=1, lo=1, hi=2} : f32[B,1]\n%1 = slice %z {axis=1, lo=0, hi=1} : f32[B,1]\n"
       "%r = concat %0, %y, %1 {axis=1} : f32[B,4]",
       "%r"},
      {"a slice of a pad", kX, "f32[B,1]",
       "%a = pad %x {axis=1, lo=3, hi=1} : f32[B,6]\n%r = slice %a {axis=1, lo=4, hi=5} : f32[B,1]", "%r",
       "%r = slice %x {axis=1, lo=1, hi=2} : f32[B,1]", "%r"},
      {"a slice of a pad", kX, "f32[B,3]",
       "%a = pad %x {axis=1, lo=3, hi=1} : f32[B,6]\n%r = slice %a {axis=1, lo=0, hi=3} : f32[B,3]", "%r",
       "%r = const {value=0} : f32[B,3]", "%r"},
      {"a slice of a broadcast", "%x: f32[4]", "f32[B,2]",
       "%a = broadcast %x {axes=[1]} : f32[B,4]\n%r = slice %a {axis=1, lo=1, hi=3} : f32[B,2]", "%r",
       "%0 = slice %x {axis=0, lo=1, hi=3} : f32[2]\n%r = broadcast %0 {axes=[1]} : f32[B,2]", "%r"},
      {"a slice of a broadcast", "%x: f32[B]", "f32[B,2]",
       "%a = broadcast %x {axes=[0]} : f32[B,4]\n%r = slice %a {axis=1, lo=1, hi=3} : f32[B,2]", "%r",
       "%r = broadcast %x {axes=[0]} : f32[B,2]", "%r"},
      {"a pad by nothing", kX, kT, "%r = pad %x {axis=1, lo=0, hi=0} : f32[B,2]", "%r", "", "%x"},
      {"a pad of zeros", kX, "f32[B,4]", kZero + "%r = pad %c {axis=1, lo=1, hi=1} : f32[B,4]", "%r",
       "%r = const {value=0} : f32[B,4]", "%r"},
      {"a pad of a pad", kX, "f32[B,6]",
       "%a = pad %x {axis=1, lo=1, hi=0} : f32[B,3]\n%r = pad %a {axis=1, lo=1, hi=2} : f32[B,6]", "%r",
       "%r = pad %x {axis=1, lo=2, hi=2} : f32[B,6]", "%r"},
      {"a concat of neighbours, of one part, of concats", kX, kT, "%r = concat %x {axis=1} : f32[B,2]", "%r",
       "", "%x"},
      {"a concat of neighbours, of one part, of concats", kXY, "f32[B,6]",
       "%a = concat %x, %y {axis=1} : f32[B,4]\n%r = concat %a, %x {axis=1} : f32[B,6]", "%r",
       "%r = concat %x, %y, %x {axis=1} : f32[B,6]", "%r"},
      {"a concat of neighbours, of one part, of concats", "%x: f32[9]", "f32[5]",
       "%a = slice %x {axis=0, lo=1, hi=3} : f32[2]\n%b = slice %x {axis=0, lo=3, hi=6} : f32[3]\n"
       "%r = concat %a, %b {axis=0} : f32[5]",
       "%r", "%r = slice %x {axis=0, lo=1, hi=6} : f32[5]", "%r"},
      {"a matmul of a transpose", "%x: f32[B,3], %w: f32[4,3]", "f32[B,4]",
       "%t = transpose %w {axes=[1,0]} : f32[3,4]\n%r = matmul %x, %t : f32[B,4]", "%r",
       "%r = matmul %x, %w {tb} : f32[B,4]", "%r"},
      {"a matmul of a transpose", "%x: f32[3,4], %w: f32[3,2]", "f32[4,2]",
       "%t = transpose %x {axes=[1,0]} : f32[4,3]\n%r = matmul %t, %w : f32[4,2]", "%r",
       "%r = matmul %x, %w {ta} : f32[4,2]", "%r"},
      {"a sum of a reshape without dims of 1", "%x: f32[5,1,3]", "f32[3]",
       "%a = reshape %x : f32[5,3]\n%r = reduce_sum %a {axes=[0]} : f32[3]", "%r",
       "%r = reduce_sum %x {axes=[0,1]} : f32[3]", "%r"},
      {"a sum over dims of 1", "%x: f32[B,1,2]", kT, "%r = reduce_sum %x {axes=[1]} : f32[B,2]", "%r",
       "%r = reshape %x : f32[B,2]", "%r"},
      {"a maximum over dims of 1", "%x: f32[B,1,2]", kT, "%r = reduce_max %x {axes=[1]} : f32[B,2]", "%r",
       "%r = reshape %x : f32[B,2]", "%r"},
  };
}

TEST(Rules, EachRowSimplifiesAsItSays) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.identity);
    const ir::Func before = ir::parse(text_of(row, row.ops, row.result));
    const ir::Func after = passes::simplify(before);
    EXPECT_EQ(ir::print(after),
              ir::print(ir::parse(text_of(row, row.simplified_ops, row.simplified_result))));
    const ir::DimValues dims{{"B", 3}};
    const auto inputs = ir::random_inputs(before, dims, 3);
    EXPECT_LE(ir::difference(ir::evaluate(after, inputs, dims), ir::evaluate(before, inputs, dims)), 1e-7);
  }
}

TEST(Rules, EachRuleHasARow) {
  std::set<std::string_view> known;
  for (const Row& row : rows()) known.insert(row.identity);
  for (auto rules : {passes::arithmetic_rules(), passes::movement_rules()})
    for (const passes::NamedRule& rule : rules) EXPECT_TRUE(known.contains(rule.identity)) << rule.identity;
}

// What looks like an identity and is none for floats, or would change the order of a sum.
TEST(Rules, InexactIdentitiesStay) {
  for (const char* ops :
       {"%c = const {value=0} : f32[B,2]\n%r = mul %x, %c : f32[B,2]", "%r = sub %x, %x : f32[B,2]",
        "%r = div %x, %x : f32[B,2]", "%c = const {value=3} : f32[B,2]\n%r = div %x, %c : f32[B,2]"}) {
    const ir::Func f =
        ir::parse(fmt::format("func @f(%x: f32[B,2]) -> (f32[B,2]) {{\n{}\n  return %r\n}}\n", ops));
    EXPECT_EQ(ir::print(passes::simplify(f)), ir::print(f));
  }
}

}  // namespace
}  // namespace rondo
