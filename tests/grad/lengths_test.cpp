// Gradients of scans with lengths: against differences, unrolled, and with garbage as padding.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/text.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tests/grad/differentiate.h"
#include "tests/support/arrays.h"
#include "tests/support/cells.h"

namespace rondo {
namespace {

using ir::Array;
using ir::DimValues;
using ir::Func;
using Lengths = std::vector<double>;

/// The text of a cell with one scan, with lengths as its last input.
std::string with_lengths(std::string text) {
  text.insert(text.find("consts("), "lengths(%L) ");
  return text.insert(text.find(") ->"), ", %L: i32[B]");
}

/// The cell for rows of the given lengths, which are numbers in it, and with all dims bound: its inputs are
/// floats.
Func sized(const std::string& text, const Lengths& lengths, DimValues dims) {
  dims["B"] = static_cast<int64_t>(lengths.size());
  const Func f = passes::bind_dims(ir::parse(with_lengths(text)), dims);
  ir::Builder b(f.name);
  std::vector<ir::Value> args, numbers;
  for (size_t i = 0; i + 1 < f.params.size(); ++i)
    args.push_back(b.param(f.type(f.params[i]), f.value_name(f.params[i])));
  for (double n : lengths) numbers.push_back(b.constant({DType::i32, {1}}, n));
  args.push_back(b.concat(numbers, 0));
  std::vector<ir::Value> results = b.inline_func(f, args);
  return std::move(b).finish(std::move(results));
}

TEST(LengthsGrad, AgreesWithDifferences) {
  const Lengths lengths{4, 0, 1, 3};
  for (const std::string& text : {std::string(test::kLstm), test::reversed(test::kLstm)})
    EXPECT_LT(test::gradient_error(sized(text, lengths, {{"T", 4}, {"I", 2}}), {}), 1e-9);
  EXPECT_LT(test::gradient_error(sized(test::kGru, lengths, {{"T", 4}}), {}), 1e-9);
  EXPECT_LT(test::gradient_error(sized(test::kLstm, {0, 0}, {{"T", 0}, {"I", 2}}), {}), 1e-9);
}

TEST(LengthsGrad, UnrolledIsTheSame) {
  for (const std::string& text : {std::string(test::kLstm), test::reversed(test::kLstm)}) {
    const Func f = sized(text, {2, 3, 0}, {{"T", 3}, {"I", 2}});
    const auto inputs = ir::random_inputs(f, {}, 3);
    const auto rolled = ir::evaluate(passes::run_pipeline(f, passes::kTraining), inputs);
    for (const char* pipeline :
         {"mask-lengths,unroll-scan,simplify,grad,simplify", "grad,unroll-scan,simplify"})
      EXPECT_LT(ir::difference(ir::evaluate(passes::run_pipeline(f, pipeline), inputs), rolled), 1e-13);
  }
}

// Each row of the batch as a sequence of its own length gives the same loss and the same sums of gradients.
TEST(LengthsGrad, IsTheSumOverRowsByThemselves) {
  const Lengths lengths{3, 1, 0, 2};
  const Func whole = passes::grad(sized(test::kGru, lengths, {{"T", 3}}), {.wrt = {"un"}});
  const auto inputs = ir::random_inputs(whole, {}, 5);
  const auto all = ir::evaluate(whole, inputs);
  Array sum{DType::f64, {2, 2}, Lengths(4)};
  for (size_t row = 0; row < lengths.size(); ++row) {
    const auto steps = static_cast<int64_t>(lengths[row]);
    const Func one =
        passes::grad(passes::bind_dims(ir::parse(test::kGru), {{"T", steps}, {"B", 1}}), {.wrt = {"un"}});
    auto mine = inputs;
    auto& h = mine[mine.size() - 2];
    h = {DType::f64, {1, 2}, {h.data[2 * row], h.data[2 * row + 1]}};
    Array x{DType::f64, {steps, 1, 3}, {}};
    for (int64_t t = 0; t < steps; ++t)
      for (int64_t i = 0; i < 3; ++i) x.data.push_back(mine.back().data[(t * 4 + row) * 3 + i]);
    mine.back() = x;
    const auto out = ir::evaluate(one, mine);
    for (size_t i = 0; i < 4; ++i) sum.data[i] += out[2].data[i];
  }
  EXPECT_LT(ir::difference(std::vector{all[2]}, std::vector{sum}), 1e-13);
}

TEST(LengthsGrad, NoPaddingReachesIt) {
  const Lengths lengths{4, 0, 1, 3};
  for (const std::string& text : {std::string(test::kLstm), test::reversed(test::kLstm)}) {
    const Func f = sized(text, lengths, {{"T", 4}, {"I", 2}});
    auto inputs = ir::random_inputs(f, {}, 7);
    Array& x = inputs.back();
    auto pad = [&](double garbage) {
      for (size_t t = 0; t < 4; ++t)
        for (size_t row = 0; row < 4; ++row)
          for (size_t i = 0; i < 2 && static_cast<double>(t) >= lengths[row]; ++i)
            x.data[(t * 4 + row) * 2 + i] = garbage;
      return ir::evaluate(passes::run_pipeline(f, passes::kTraining), inputs);
    };
    const auto clean = pad(0);
    for (double garbage : {1e300, std::nan(""), std::numeric_limits<double>::infinity()})
      EXPECT_EQ(ir::difference(pad(garbage), clean), 0) << garbage;
    for (const Array& a : clean)
      for (double v : a.data) EXPECT_TRUE(std::isfinite(v));
  }
}

// Lengths of a scan in a scan with lengths: a row that takes no part outside takes none inside.
TEST(LengthsGrad, Nested) {
  const Func f = ir::parse(R"(
func @nested(%w: f64[2,2], %s0: f64[3,2], %x: f64[4,3,5,2]) -> (f64[]) {
  %l0 = const {value=4} : i32[1]
  %l1 = const {value=0} : i32[1]
  %l2 = const {value=2} : i32[1]
  %L = concat %l0, %l1, %l2 {axis=0} : i32[3]
  %M = concat %l2, %l0, %l0 {axis=0} : i32[3]
  %sT, %ys = scan lengths(%L) consts(%w, %M) carry(%s = %s0) xs(%xt = %x) {
    %xk = transpose %xt {axes=[1,0,2]} : f64[5,3,2]
    %hT, %hs = scan reverse lengths(%M) consts(%w) carry(%h = %s) xs(%xk) {
      %m = matmul %h, %w : f64[3,2]
      %a = add %m, %xk : f64[3,2]
      %h1 = tanh %a : f64[3,2]
      yield carry(%h1) ys(%a)
    } : f64[3,2], f64[5,3,2]
    %sum = reduce_sum %hs {axes=[0]} : f64[3,2]
    %n = mul %sum, %hT : f64[3,2]
    yield carry(%n) ys(%hT)
  } : f64[3,2], f64[4,3,2]
  %y2 = mul %ys, %ys : f64[4,3,2]
  %l1s = reduce_sum %y2 {axes=[0,1,2]} : f64[]
  %l2s = reduce_sum %sT {axes=[0,1]} : f64[]
  %loss = add %l1s, %l2s : f64[]
  return %loss
}
)");
  EXPECT_LT(test::gradient_error(f, {}), 1e-8);
}

}  // namespace
}  // namespace rondo
