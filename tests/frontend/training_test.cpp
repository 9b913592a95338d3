// Gradients, optimizers and the training step, on the evaluator.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "support/error.h"
#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

/// A model of one parameter w [2] and the loss sum(w^2) / 2, whose gradient is w.
struct Bowl : Model {
  Param w = param("w", {2}, init::constant(3));
  Bowl() : Model(f64) {}
  Function loss() const {
    return Function("loss", *this, [&](Trace& t) { t.output("loss", sum(square(w)) / 2); });
  }
};

/// w[0] after each of n updates.
template <Optimizer O>
Numbers descend(const O& optimizer, int n) {
  Bowl bowl;
  Reference reference(training_function(bowl.loss(), optimizer), bowl.init(1));
  Numbers w;
  for (int i = 0; i < n; ++i) {
    reference.run();
    EXPECT_EQ(reference.at("w").data[0], reference.at("w").data[1]);
    w.push_back(reference.at("w").data[0]);
  }
  return w;
}

void expect_near(const Numbers& a, const Numbers& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-13) << i;
}

TEST(Optimizers, SgdShrinksABowlGeometrically) {
  expect_near(descend(Sgd{.lr = 0.1}, 3), {2.7, 2.43, 2.187});
}

TEST(Optimizers, MomentumFollowsItsRecurrence) {
  Numbers expected;
  double w = 3, v = 0;
  for (int i = 0; i < 4; ++i) {
    v = 0.9 * v + w;
    expected.push_back(w -= 0.1 * v);
  }
  expect_near(descend(Sgd{.lr = 0.1, .momentum = 0.9}, 4), expected);
}

TEST(Optimizers, RmsPropFollowsItsRecurrence) {
  Numbers expected;
  double w = 3, v = 0;
  for (int i = 0; i < 4; ++i) {
    v = 0.95 * v + 0.05 * w * w;
    expected.push_back(w -= 0.01 * w / (std::sqrt(v) + 1e-8));
  }
  expect_near(descend(RmsProp{.lr = 0.01, .smoothing = 0.95}, 4), expected);
}

TEST(Optimizers, AdamFollowsItsRecurrence) {
  Numbers expected;
  double w = 3, m = 0, v = 0;
  for (int i = 1; i <= 4; ++i) {
    m = 0.9 * m + 0.1 * w;
    v = 0.999 * v + 0.001 * w * w;
    expected.push_back(w -= 0.01 * (m / (1 - std::pow(0.9, i))) /
                            (std::sqrt(v / (1 - std::pow(0.999, i))) + 1e-8));
  }
  expect_near(descend(Adam{.lr = 0.01}, 4), expected);
}

TEST(Optimizers, ClipByValue) { expect_near(descend(Sgd{.lr = 1, .clip_value = 0.5}, 2), {2.5, 2}); }

TEST(Optimizers, ClipByGlobalNorm) {
  const double step = 2 / std::sqrt(2);  // of each of two equal elements
  expect_near(descend(Sgd{.lr = 1, .clip_norm = 2}, 2), {3 - step, 3 - 2 * step});
  expect_near(descend(Sgd{.lr = 0.1, .clip_norm = 100}, 1), {2.7});
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

TEST(Optimizers, UsersWriteTheirOwn) { expect_near(descend(SignSgd{.lr = 0.25}, 3), {2.75, 2.5, 2.25}); }

/// A character model with a stack of all cells.
struct Tiny : Model {
  Stack stack;
  Linear head;
  Tiny() : Model(f64) {
    stack.layers = {Lstm(*this, "a", 3, 8), Gru(*this, "b", 8, 6), Gru(*this, "c", 6, 7, Gru::Reset::after),
                    Rnn(*this, "d", 7, 8)};
    head = Linear(*this, "head", 8, 3);
  }
  Stack::State initial(Dim batch) const { return stack.initial(batch); }
  std::pair<Stack::State, Tensor> step(const Stack::State& s, Tensor id) const {
    auto [next, h] = stack(s, id);
    return {next, head(h)};
  }
};

TEST(Gradient, OfAStackIsTheCentralDifference) {
  Tiny model;
  const Function loss = loss_function(model, {}, {}, softmax_cross_entropy);
  const Weights weights = model.init(2);
  auto with_batch = [](Function f, const Weights& w) {
    Reference r(std::move(f), w);
    r.set("x", {4, 2}, {0, 1, 2, 2, 1, 0, 0, 1});
    r.set("target", {4, 2}, {1, 2, 2, 1, 0, 0, 1, 2});
    return r;
  };
  Reference gradients = with_batch(gradient(loss), weights);
  gradients.run();
  for (const Param& p : model.params()) {
    const Numbers d = gradients.at("d_" + p.name()).data;
    for (size_t i : {size_t{0}, d.size() / 2, d.size() - 1}) {
      double at[2];
      for (int side : {0, 1}) {
        Weights moved = model.init(2);
        moved.at(p.name()).as<double>()[i] += side ? 1e-5 : -1e-5;
        Reference r = with_batch(loss, moved);
        r.run();
        at[side] = r.scalar("loss");
      }
      EXPECT_NEAR(d[i], (at[1] - at[0]) / 2e-5, 1e-9) << p.name() << " " << i;
    }
  }
}

TEST(Training, LearnsAToyTaskAndCarriesTheState) {
  Tiny model;
  Reference reference(training_function(loss_function(model, {}, {}, softmax_cross_entropy),
                                        Adam{.lr = 0.02, .clip_norm = 5}),
                      model.init(2));
  // 0 1 2 0 1 2 ...: the next symbol follows from the last.
  double first = 0;
  for (int i = 0; i < 60; ++i) {
    reference.set("x", {3, 1}, {0, 1, 2});
    reference.set("target", {3, 1}, {1, 2, 0});
    reference.run();
    if (i == 0) first = reference.scalar("loss");
  }
  EXPECT_NEAR(first, std::log(3), 0.5);
  EXPECT_LT(reference.scalar("loss"), 0.1);
  EXPECT_NE(reference.at("state.0").data[0], 0);
}

TEST(Gradient, IsByInputsAndTheStateWhereTheyAreNamed) {
  Model m(f64);
  Param w = m.param("w", {2}, init::constant(3));
  const Function f("loss", m, [&](Trace& t) {
    const Tensor x = t.input("x", {2}), s = t.state("s", zeros({2}));
    t.keep("s", s + x);
    t.output("loss", sum(w * square(x + s)));
  });
  Reference reference(gradient(f, {.wrt = {"x", "s.0"}}), m.init(1));
  for (const Numbers& expected : {Numbers{6, -12}, Numbers{12, -24}}) {  // 2 w (x + s)
    reference.set("x", {2}, {1, -2});
    reference.run();
    EXPECT_EQ(reference.at("d_x").data, expected);
    EXPECT_EQ(reference.at("d_s.0").data, expected);
  }
}

TEST(Gradient, RefusesWhatHasNone) {
  Model m;
  Param w = m.param("w", {2});
  auto refuse = [&](const Function& f, const GradientOptions& options = {}) {
    try {
      gradient(f, options);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(refuse(Function("f", m, [&](Trace& t) { t.output("y", sum(w)); })),
            "rondo: f has no output `loss`; outputs: y");
  EXPECT_EQ(refuse(Function("f", m, [&](Trace& t) { t.output("loss", w); })),
            "rondo: f: the loss `loss` is f32[2], not a scalar");
  EXPECT_EQ(refuse(Function("f", m, [&](Trace& t) { t.output("loss", ones({})); })),
            "rondo: f reads no parameter");
  EXPECT_EQ(refuse(Function("f", m, [&](Trace& t) { t.output("loss", sum(w)); }), {.wrt = {"x"}}),
            "rondo: grad: f.forward has no param `x`");
}

}  // namespace
}  // namespace rondo::test
