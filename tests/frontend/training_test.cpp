// Gradients and the training step, on the evaluator.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "support/error.h"
#include "tests/frontend/models.h"
#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

/// A character model with a stack of all cells.
struct Tiny : StackModel {
  Tiny()
      : StackModel(f64, 8, 3, [](Model& m) -> std::vector<Layer> {
          return {Lstm(m, "a", 3, 8), Gru(m, "b", 8, 6), Gru(m, "c", 6, 7, Gru::Reset::after),
                  Rnn(m, "d", 7, 8)};
        }) {}
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
