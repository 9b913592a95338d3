// Optimizers against scalar references of their own, over several updates.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

/// A model of one parameter w [2], 3 and -0.5 at first, and the loss sum(w^2) / 2, whose gradient is w.
struct Bowl : Model {
  Param w = param("w", {2}, init::blocks({init::constant(3), init::constant(-0.5)}));
  Bowl() : Model(f64) {}
  Function loss() const {
    return Function("loss", *this, [&](Trace& t) { t.output("loss", sum(square(w)) / 2); });
  }
};

/// w[0] after each of n updates, then w[1]; on the evaluator, and the same natively.
template <Optimizer O>
Numbers descend(const O& optimizer, int n) {
  Bowl bowl;
  const Weights weights = bowl.init(1);
  Reference reference(training_function(bowl.loss(), optimizer), weights);
  Program program = compile_training(bowl.loss(), optimizer, weights);
  Numbers w(2 * n);
  for (int i = 0; i < n; ++i) {
    reference.run();
    program.run();
    for (int k : {0, 1}) {
      w[k * n + i] = reference.at("w").data[k];
      EXPECT_NEAR(weights.at("w").as<double>()[k], w[k * n + i], 1e-14);
    }
  }
  return w;
}

/// The same by a rule for one number: update(w, state, i) gives the next w at update i = 1, 2 ...
template <class Update>
Numbers follow(int n, const Update& update) {
  Numbers result;
  for (double w : {3.0, -0.5}) {
    std::array<double, 3> state{};
    for (int i = 1; i <= n; ++i) result.push_back(w = update(w, state, i));
  }
  return result;
}

void expect_near(const Numbers& a, const Numbers& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-13) << i;
}

TEST(Optimizers, SgdShrinksABowlGeometrically) {
  expect_near(descend(Sgd{.lr = 0.1}, 3), {2.7, 2.43, 2.187, -0.45, -0.405, -0.3645});
}

TEST(Optimizers, Momentum) {
  expect_near(descend(Sgd{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.3}, 6),
              follow(6, [](double w, auto& s, int) {
                s[0] = 0.9 * s[0] + (w + 0.3 * w);
                return w - 0.1 * s[0];
              }));
}

TEST(Optimizers, NesterovMomentum) {
  expect_near(descend(Sgd{.lr = 0.1, .momentum = 0.9, .nesterov = true}, 6),
              follow(6, [](double w, auto& s, int) {
                s[0] = 0.9 * s[0] + w;
                return w - 0.1 * (w + 0.9 * s[0]);
              }));
}

TEST(Optimizers, AdagradOfAllPastGradients) {
  for (double initial : {0.0, 0.5})
    expect_near(descend(Adagrad{.lr = 0.3, .eps = 1e-4, .initial = initial, .weight_decay = 0.1}, 6),
                follow(6, [&](double w, auto& s, int i) {
                  const double g = w + 0.1 * w;
                  s[0] = (i == 1 ? initial : s[0]) + g * g;
                  return w - 0.3 * g / (std::sqrt(s[0]) + 1e-4);
                }));
}

TEST(Optimizers, RmsPropInAllForms) {
  for (double momentum : {0.0, 0.8})
    for (bool centered : {false, true})
      expect_near(descend(RmsProp{.lr = 0.01,
                                  .smoothing = 0.95,
                                  .eps = 1e-3,
                                  .momentum = momentum,
                                  .centered = centered,
                                  .weight_decay = 0.2},
                          6),
                  follow(6, [&](double w, auto& s, int) {
                    const double g = w + 0.2 * w;
                    s[0] = 0.95 * s[0] + 0.05 * g * g;
                    s[1] = 0.95 * s[1] + 0.05 * g;
                    const double v = centered ? s[0] - s[1] * s[1] : s[0];
                    s[2] = momentum * s[2] + g / (std::sqrt(v) + 1e-3);
                    return w - 0.01 * s[2];
                  }));
}

/// Adam's step without its bias correction by averages of 1: by powers, as the paper has it.
double adam_step(double g, std::array<double, 3>& s, int i) {
  s[0] = 0.9 * s[0] + 0.1 * g;
  s[1] = 0.999 * s[1] + 0.001 * g * g;
  return s[0] / (1 - std::pow(0.9, i)) / (std::sqrt(s[1] / (1 - std::pow(0.999, i))) + 1e-8);
}

TEST(Optimizers, AdamDecaysAsAPenalty) {
  for (double decay : {0.0, 0.3})
    expect_near(descend(Adam{.lr = 0.2, .weight_decay = decay}, 6), follow(6, [&](double w, auto& s, int i) {
                  return w - 0.2 * adam_step(w + decay * w, s, i);
                }));
}

TEST(Optimizers, AdamWDecaysApart) {
  expect_near(descend(AdamW{.lr = 0.2, .weight_decay = 0.3}, 6), follow(6, [](double w, auto& s, int i) {
                return w - 0.2 * 0.3 * w - 0.2 * adam_step(w, s, i);
              }));
}

TEST(Optimizers, ClipByValue) { expect_near(descend(Sgd{.lr = 1, .clip_value = 0.5}, 2), {2.5, 2, 0, 0}); }

TEST(Optimizers, ClipByGlobalNorm) {
  const double norm = std::hypot(3, 0.5), left = 1 - 2 / norm;
  expect_near(descend(Sgd{.lr = 1, .clip_norm = 2}, 1), {3 * left, -0.5 * left});
  expect_near(descend(Sgd{.lr = 0.1, .clip_norm = 100}, 1), {2.7, -0.45});
}

TEST(Optimizers, TheNormIsThatOfAllParameters) {
  Model m(f64);
  Param a = m.param("a", {}, init::constant(3)), b = m.param("b", {}, init::constant(4));
  Function loss("loss", m, [&](Trace& t) { t.output("loss", (square(a) + square(b)) / 2); });
  Reference reference(training_function(loss, Sgd{.lr = 1, .clip_norm = 1}), m.init(1));
  reference.run();
  EXPECT_NEAR(reference.scalar("a"), 3 - 0.6, 1e-15);
  EXPECT_NEAR(reference.scalar("b"), 4 - 0.8, 1e-15);
}

TEST(Optimizers, TheLearningRateIsAnInput) {
  Bowl bowl;
  Reference reference(training_function(bowl.loss(), Sgd{.lr = 0.1}), bowl.init(1));
  EXPECT_EQ(reference.scalar("lr"), 0.1);
  reference.set("lr", {}, {0.5});
  reference.run();
  EXPECT_EQ(reference.at("w").data[0], 1.5);
}

/// An optimizer of the user's own: the sign of the gradient.
struct SignSgd {
  double lr = 0.1, clip_norm = 0, clip_value = 0;
  std::vector<Tensor> slots() const { return {}; }
  NothingShared shared() const { return {}; }
  NothingShared advance(NothingShared s) const { return s; }
  Tensor operator()(Tensor w, Tensor g, Tensor lr, std::vector<Tensor>&, NothingShared) const {
    return w - select(greater(g, 0), lr, -lr);
  }
};

TEST(Optimizers, UsersWriteTheirOwn) {
  expect_near(descend(SignSgd{.lr = 0.25}, 3), {2.75, 2.5, 2.25, -0.25, 0, 0.25});
}

}  // namespace
}  // namespace rondo::test
