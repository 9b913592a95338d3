// Losses: their values, their gradients, and what does not count.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "support/error.h"
#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

/// The elements of f(y), where y is a parameter of these values, after a check of the gradient of a weighted
/// sum of them.
Numbers checked(std::vector<int64_t> shape, const Numbers& values, const std::function<Tensor(Tensor)>& f) {
  Model m(f64);
  const Param y = m.param("y", shape, [&](Random&, auto&, std::span<double> out) {
    std::copy(values.begin(), values.end(), out.begin());
  });
  const Function function("f", m, [&](Trace& t) {
    const Tensor result = f(y);
    t.output("result", result);
    t.output("loss", result.rank() ? sum((1 + cast(iota(result.shape(), -1), f64)) * result) : result);
  });
  const GradientCheck check = check_gradients(function, m.init(1), {.elements = 100});
  EXPECT_TRUE(check.passed()) << to_string(check);
  Reference r(function, m.init(1));
  r.run();
  return r.at("result").data;
}

Tensor ids_of(const std::vector<int>& ids) {
  std::vector<Tensor> parts;
  for (int id : ids) parts.push_back(constant(id, Type{i32, {1}}));
  return concat(parts, 0);
}

void expect_near(const Numbers& a, const Numbers& b, double tolerance = 1e-13) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << i;
}

double log_softmax_at(const Numbers& x, size_t row, int id) {
  double total = 0;
  for (int v = 0; v < 4; ++v) total += std::exp(x[row * 4 + v]);
  return x[row * 4 + id] - std::log(total);
}

const Numbers kLogits = numbers(12, 5);  // [3,4]

TEST(Losses, CrossEntropyOfEachAndTheMean) {
  const Numbers each = {-log_softmax_at(kLogits, 0, 2), -log_softmax_at(kLogits, 1, 0),
                        -log_softmax_at(kLogits, 2, 3)};
  const CrossEntropy loss;
  expect_near(checked({3, 4}, kLogits, [&](Tensor y) { return loss.each(y, ids_of({2, 0, 3})); }), each);
  expect_near(checked({3, 4}, kLogits,
                      [&](Tensor y) {
                        return loss(y, ids_of({2, 0, 3}));
                      }),
              {(each[0] + each[1] + each[2]) / 3});
  const auto masked = [&](Tensor y) { return loss(y, ids_of({2, 0, 3}), equal(ids_of({1, 0, 1}), 1)); };
  expect_near(checked({3, 4}, kLogits, masked), {(each[0] + each[2]) / 2});
}

TEST(Losses, IgnoredIdsDoNotCount) {
  const double first = -log_softmax_at(kLogits, 0, 2), last = -log_softmax_at(kLogits, 2, 3);
  for (int ignore : {-1, -100, 1}) {
    const CrossEntropy loss{.ignore = ignore};
    expect_near(checked({3, 4}, kLogits,
                        [&](Tensor y) {
                          return loss.each(y, ids_of({2, ignore, 3}));
                        }),
                {first, 0, last});
    expect_near(checked({3, 4}, kLogits,
                        [&](Tensor y) {
                          return loss(y, ids_of({2, ignore, 3}));
                        }),
                {(first + last) / 2});
    const auto masked = [&](Tensor y) {
      return loss(y, ids_of({2, ignore, 3}), equal(ids_of({1, 1, 0}), 1));
    };
    expect_near(checked({3, 4}, kLogits, masked), {first});
    expect_near(checked({3, 4}, kLogits,
                        [&](Tensor y) {
                          return loss(y, ids_of({ignore, ignore, ignore}));
                        }),
                {0});
  }
}

TEST(Losses, LabelSmoothingIsACrossEntropyWithASmoothedTarget) {
  Numbers each;
  const int ids[] = {2, 0, 3};
  for (int row = 0; row < 3; ++row) {
    double sum = 0;
    for (int v = 0; v < 4; ++v)
      sum -= (0.1 / 4 + (v == ids[row] ? 0.9 : 0)) * log_softmax_at(kLogits, row, v);
    each.push_back(sum);
  }
  const CrossEntropy loss{.label_smoothing = 0.1};
  expect_near(checked({3, 4}, kLogits, [&](Tensor y) { return loss.each(y, ids_of({2, 0, 3})); }), each);
  const CrossEntropy both{.ignore = -1, .label_smoothing = 0.1};
  expect_near(checked({3, 4}, kLogits,
                      [&](Tensor y) {
                        return both(y, ids_of({-1, 0, 3}));
                      }),
              {(each[1] + each[2]) / 2});
}

TEST(Losses, BinaryCrossEntropyIsExactForLargeLogits) {
  const auto loss = [](Tensor y) { return BinaryCrossEntropy{}.each(y, constant(0.25, y.shape())); };
  const Numbers x = {-3, -0.5, 0, 0.5, 3};
  Numbers expected;
  for (double v : x) {
    const double p = 1 / (1 + std::exp(-v));
    expected.push_back(-0.25 * std::log(p) - 0.75 * std::log(1 - p));
  }
  expect_near(checked({5}, x, loss), expected);
  const auto ones_wanted = [](Tensor y) { return BinaryCrossEntropy{}.each(y, constant(1, y.shape())); };
  expect_near(checked({4}, {-1000, 1000, 50, 20}, ones_wanted), {1000, 0, 0, std::log1p(std::exp(-20))});
}

TEST(Losses, SquaredErrorAndHuber) {
  const Numbers x = {-3, -0.4, 0.1, 0.25, 2};
  const auto wanted = [](Tensor y) { return constant(0.5, y.shape()); };
  expect_near(checked({5}, x, [&](Tensor y) { return SquaredError{}.each(y, wanted(y)); }),
              {12.25, 0.81, 0.16, 0.0625, 2.25});
  expect_near(checked({5}, x, [&](Tensor y) { return SquaredError{}(y, wanted(y), greater(y, 0)); }),
              {(0.16 + 0.0625 + 2.25) / 3});
  const Huber huber{.delta = 0.75};
  expect_near(checked({5}, x, [&](Tensor y) { return huber.each(y, wanted(y)); }),
              {0.75 * (3.5 - 0.375), 0.75 * (0.9 - 0.375), 0.08, 0.03125, 0.75 * (1.5 - 0.375)});
  expect_near(checked({1}, {0.5}, [&](Tensor y) { return huber(y, wanted(y)); }), {0});
}

TEST(Losses, WhatTheMaskHidesMayBeNoNumber) {
  const auto loss = [](Tensor y) { return mean_where(greater(y, 0), log(y)); };
  expect_near(checked({3}, {2, -1, 4}, loss), {(std::log(2) + std::log(4)) / 2});
  expect_near(checked({2}, {-2, -1}, loss), {0});
}

TEST(Losses, RefuseWhatTheyCannotBe) {
  auto refuse = [](const std::function<Tensor(Tensor)>& f) {
    try {
      Function("f", f32, [&](Trace& t) { t.output("loss", f(t.input("x", {3, 4}))); });
    } catch (const Error& e) {
      const std::string what = e.what();
      return what.substr(0, what.find(" ("));
    }
    return std::string("no error");
  };
  EXPECT_EQ(refuse([](Tensor x) {
              return CrossEntropy{.label_smoothing = 1.5}(x, ids_of({1, 2, 0}));
            }),
            "rondo: a label smoothing of 1.5 is not in [0,1] in cross_entropy");
  EXPECT_EQ(refuse([](Tensor x) { return Huber{.delta = 0}(x, x); }),
            "rondo: a delta of 0 is not over 0 in huber");
}

TEST(Losses, AreCompiledWithModels) {
  Model m(f32);
  const Param w = m.param("w", {3, 4});
  const Function loss("loss", m, [&](Trace& t) {
    const Tensor y = matmul(t.input("x", {"B", 3}), w);
    t.output("loss", CrossEntropy{.ignore = -1, .label_smoothing = 0.1}(y, t.input("target", i32, {"B"})));
  });
  Program p = compile(loss, m.init(1));
  Reference r(loss, m.init(1));
  p.resize({{"B", 3}});
  const Numbers x = numbers(9, 2);
  r.set("x", {3, 3}, x);
  r.set("target", {3}, {2, -1, 0});
  p.set("x", std::vector<float>(x.begin(), x.end()));
  p.set("target", std::vector<int32_t>{2, -1, 0});
  p.run();
  r.run();
  EXPECT_NEAR(p.f32("loss")[0], r.scalar("loss"), 1e-6);
  for (int32_t id : {4, -2}) {
    p.i32("target")[1] = id;
    try {
      p.run();
      ADD_FAILURE() << "takes " << id;
    } catch (const Error& e) {
      EXPECT_EQ(e.what(), "target: " + std::to_string(id) + " at [1] is outside [-1,4)");
    }
  }
}

}  // namespace
}  // namespace rondo::test
