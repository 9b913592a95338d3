// The ops of the DSL against what they say, on the evaluator.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

/// The elements of f(x) in f64.
std::vector<double> apply(std::vector<int64_t> shape, std::vector<double> x,
                          const std::function<Tensor(Tensor)>& f) {
  Function function("f", f64,
                    [&](Trace& t) { t.output("y", f(t.input("x", Shape(shape.begin(), shape.end())))); });
  Reference reference(function, {});
  reference.set("x", shape, x);
  reference.run();
  return reference.at("y").data;
}

using Numbers = std::vector<double>;

TEST(Ops, NumbersTakeTheShapeOfTheOtherOperand) {
  EXPECT_EQ(apply({2}, {1, 2}, [](Tensor x) { return 1 - x * 2; }), (Numbers{-1, -3}));
  EXPECT_EQ(apply({2}, {1, 2}, [](Tensor x) { return -x / 4; }), (Numbers{-0.25, -0.5}));
}

TEST(Ops, LowerRanksRepeatAlongLeadingDims) {
  EXPECT_EQ(apply({2, 2}, {1, 2, 3, 4}, [](Tensor x) { return x + sum(x, 0); }), (Numbers{5, 8, 7, 10}));
  EXPECT_EQ(apply({2}, {1, 2}, [](Tensor x) { return sum(x) * x; }), (Numbers{3, 6}));
}

TEST(Ops, ExpandRepeatsAlongANewAxis) {
  EXPECT_EQ(apply({2}, {1, 2}, [](Tensor x) { return expand(x, -1, 3); }), (Numbers{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(apply({2}, {1, 2}, [](Tensor x) { return expand(x, 0, 2); }), (Numbers{1, 2, 1, 2}));
}

TEST(Ops, SplitConcatAndStackAreInverse) {
  const Numbers x{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(apply({2, 4}, x,
                  [](Tensor t) {
                    auto [a, b] = split<2>(t, -1);
                    return concat({a, b}, 1);
                  }),
            x);
  EXPECT_EQ(apply({2, 4}, x,
                  [](Tensor t) {
                    auto [a, b] = split<2>(t, -1);
                    return stack({b, a}, 0);
                  }),
            (Numbers{3, 4, 7, 8, 1, 2, 5, 6}));
}

TEST(Ops, ReductionsDropTheirAxes) {
  const Numbers x{1, 2, 3, 4, 5, 9};
  EXPECT_EQ(apply({2, 3}, x, [](Tensor t) { return sum(t); }), (Numbers{24}));
  EXPECT_EQ(apply({2, 3}, x, [](Tensor t) { return mean(t, -1); }), (Numbers{2, 6}));
  EXPECT_EQ(apply({2, 3}, x, [](Tensor t) { return mean(t, {-1, 0}); }), (Numbers{4}));
  EXPECT_EQ(apply({2, 3}, x, [](Tensor t) { return reduce_max(t, 0); }), (Numbers{4, 5, 9}));
  EXPECT_EQ(apply({2, 3}, x, [](Tensor t) { return cast(argmax(t), f64); }), (Numbers{2, 2}));
}

TEST(Ops, ComparisonsAndSelect) {
  const Numbers x{-1, 0, 2};
  EXPECT_EQ(apply({3}, x, [](Tensor t) { return select(greater(t, 0), t, 7); }), (Numbers{7, 7, 2}));
  EXPECT_EQ(apply({3}, x, [](Tensor t) { return select(less(t, 0), 1, 0); }), (Numbers{1, 0, 0}));
  EXPECT_EQ(apply({3}, x, [](Tensor t) { return relu(t) + max(t, 1) + min(t, 1); }), (Numbers{0, 1, 5}));
}

TEST(Ops, OneHotIsOneAtTheId) {
  EXPECT_EQ(apply({2}, {2, 0}, [](Tensor t) { return one_hot(cast(t, i32), 3); }),
            (Numbers{0, 0, 1, 1, 0, 0}));
}

TEST(Ops, SoftmaxIsStableForLargeNumbers) {
  const double e = std::exp(-1.0), s = 1 + e;
  Numbers y = apply({1, 2}, {1000, 999}, [](Tensor t) { return softmax(t); });
  EXPECT_DOUBLE_EQ(y[0], 1 / s);
  EXPECT_DOUBLE_EQ(y[1], e / s);
  y = apply({1, 2}, {1000, 999}, [](Tensor t) { return log_softmax(t); });
  EXPECT_NEAR(y[0], -std::log(s), 1e-12);
  EXPECT_NEAR(y[1], -1 - std::log(s), 1e-12);
}

TEST(Ops, CrossEntropyIsTheMeanNegativeLogProbability) {
  Function function("loss", f64, [](Trace& t) {
    t.output("loss",
             softmax_cross_entropy(t.input("logits", {"T", "B", 3}), t.input("ids", i32, {"T", "B"})));
  });
  Reference reference(function, {});
  const Numbers logits = numbers(12, 1);
  reference.set("logits", {2, 2, 3}, logits);
  reference.set("ids", {2, 2}, {0, 2, 1, 1});
  reference.run();
  double expected = 0;
  const int ids[] = {0, 2, 1, 1};
  for (int i = 0; i < 4; ++i) {
    double total = 0;
    for (int v = 0; v < 3; ++v) total += std::exp(logits[i * 3 + v]);
    expected -= std::log(std::exp(logits[i * 3 + ids[i]]) / total) / 4;
  }
  EXPECT_NEAR(reference.scalar("loss"), expected, 1e-14);
}

TEST(Ops, MseIsTheMeanSquare) {
  EXPECT_EQ(apply({2}, {1, 4}, [](Tensor x) { return mse(x, constant(1, x.shape())); }), (Numbers{4.5}));
}

}  // namespace
}  // namespace rondo::test
