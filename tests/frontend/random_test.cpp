// Dropout and its family: statistics, streams, training against evaluation, gradients, resuming.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>
#include <set>

#include "ir/text.h"
#include "support/error.h"
#include "tests/frontend/models.h"
#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

/// The outputs of a function in training, on the evaluator.
Reference in_training(const Function& f, int32_t seed = 0, int32_t count = 0) {
  Reference r(bind_training(f, true), Weights());
  r.set("random.seed", {}, {static_cast<double>(seed)});
  r.set("random.count", {}, {static_cast<double>(count)});
  return r;
}

double mean_of(const Numbers& x) {
  double sum = 0;
  for (double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}

double share_of_zeros(const Numbers& x) {
  return static_cast<double>(std::count(x.begin(), x.end(), 0)) / static_cast<double>(x.size());
}

/// In units of the standard error of independent uniforms.
double correlation(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - 0.5) * (b[i] - 0.5);
  return sum * 12 / std::sqrt(static_cast<double>(a.size()));
}

TEST(Random, DropoutZeroesItsShareAndKeepsTheMean) {
  const Function f("f", f64, [](Trace& t) {
    t.output("y", dropout(ones({200, 100}), 0.3));
    t.output("none", dropout(ones({2, 2}), 0));
  });
  Reference r = in_training(f, 7);
  r.run();
  const Numbers& y = r.at("y").data;
  EXPECT_NEAR(share_of_zeros(y), 0.3, 0.01);  // 3 deviations
  EXPECT_NEAR(mean_of(y), 1, 0.014);
  EXPECT_EQ(std::set<double>(y.begin(), y.end()), (std::set<double>{0, 1 / 0.7}));
  EXPECT_EQ(r.at("none").data, Numbers(4, 1));
}

TEST(Random, SeedsCallsSitesAndStepsHaveStreamsOfTheirOwn) {
  const int64_t n = 500;
  const Function f("f", f64, [&](Trace& t) {
    t.output("a", draw_uniform({n}));
    t.output("b", draw_uniform({n}));
    const auto in_scan = [&](Tensor s) { return std::pair(s, draw_uniform({n})); };
    t.output("steps", repeat(zeros({}), 3, in_scan).second);
    const auto nested = [&](Tensor s) { return std::pair(s, repeat(s, 2, in_scan).second); };
    t.output("nested", repeat(zeros({}), 2, nested).second);
    const auto once = [&](Tensor s) { return std::pair(s, draw_uniform({n}, Draw::once)); };
    t.output("once", repeat(zeros({}), 3, once).second);
  });
  std::vector<Numbers> streams;
  auto add_rows = [&](const Numbers& x) {
    for (size_t i = 0; i < x.size(); i += n) streams.emplace_back(x.begin() + i, x.begin() + i + n);
  };
  for (int32_t seed : {1, 2}) {
    Reference r = in_training(f, seed);
    for (int call = 0; call < 2; ++call) {
      r.run();
      for (const char* name : {"a", "b", "steps", "nested"}) add_rows(r.at(name).data);
      const Numbers& once = r.at("once").data;
      add_rows({once.begin(), once.begin() + n});
      for (int64_t i = 0; i < n; ++i) EXPECT_TRUE(once[i] == once[n + i] && once[i] == once[2 * n + i]);
    }
    EXPECT_EQ(r.scalar("random.count"), 2);
  }
  ASSERT_EQ(streams.size(), 40u);
  for (size_t i = 0; i < streams.size(); ++i) {
    EXPECT_NEAR(mean_of(streams[i]), 0.5, 4 / std::sqrt(12.0 * n)) << i;
    for (size_t k = i + 1; k < streams.size(); ++k)
      EXPECT_LT(std::abs(correlation(streams[i], streams[k])), 4.5) << i << " and " << k;
  }
}

TEST(Random, EvaluationIsTheFunctionWithoutIt) {
  auto function = [](bool with) {
    return Function("f", f32, [&](Trace& t) {
      const Tensor x = t.input("x", {"T", "B", 4});
      const Tensor y = with ? dropout(x, 0.5) : x;
      auto [last, ys] = scan(zeros({"B", 4}), y, [&](Tensor s, Tensor xt) {
        s = tanh(s + xt);
        if (with) s = dropout(dropout(s, 0.5), 0.5, Draw::once);
        return std::pair(s, s);
      });
      t.output("y", ys);
    });
  };
  const Function evaluated = bind_training(function(true), false);
  EXPECT_EQ(ir::print(evaluated.func), ir::print(passes::run_pipeline(function(false).func, "simplify")));
  EXPECT_TRUE(evaluated.slots.empty());
  EXPECT_TRUE(evaluated.defaults.empty());
  EXPECT_EQ(evaluated.outputs, std::vector<std::string>{"y"});
  const Function trained = bind_training(function(true), true);
  EXPECT_EQ(trained.slots, std::vector<std::string>{"random.count"});
}

TEST(Random, WhatIsDrawnInEvaluationTooKeepsItsStream) {
  Program p = compile(Function("f", f32,
                               [](Trace& t) {
                                 t.output("u", draw_uniform({4}));
                                 t.output("y", dropout(ones({4}), 0.5));
                               }),
                      Weights());
  p.run();
  const Numbers first = array_of(p.buffer("u")).data;
  p.run();
  EXPECT_NE(array_of(p.buffer("u")).data, first);
  EXPECT_EQ(array_of(p.buffer("y")).data, Numbers(4, 1));
  EXPECT_EQ(p.weights().at("random.count").as<int32_t>()[0], 2);
}

TEST(Random, ZoneoutKeepsItsShareAndMeansInEvaluation) {
  const Function f("f", f64,
                   [](Trace& t) { t.output("y", zoneout(constant(2, {5000}), constant(10, {5000}), 0.25)); });
  Reference r = in_training(f);
  r.run();
  const Numbers& y = r.at("y").data;
  EXPECT_EQ(std::set<double>(y.begin(), y.end()), (std::set<double>{2, 10}));
  EXPECT_NEAR(mean_of(y), 8, 8 * 3 * std::sqrt(0.25 * 0.75 / 5000));
  Reference evaluated(bind_training(f, false), Weights());
  evaluated.run();
  EXPECT_EQ(evaluated.at("y").data, Numbers(5000, 8));
}

TEST(Random, WordsAreDroppedOneByOneAndRowsForAllTheirWords) {
  const Function f("f", f64, [](Trace& t) {
    const Tensor ids = t.input("ids", i32, {"B"});
    t.output("words", word_dropout(ids, 0.2, 9));
    t.output("rows", embedding_dropout(ones({"B", 3}), ids, 50, 0.2));
  });
  Numbers ids(2000);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<double>(10 + i % 40);
  Reference r = in_training(f, 3);
  r.set("ids", {2000}, ids);
  r.run();
  const Numbers &words = r.at("words").data, &rows = r.at("rows").data;
  size_t unknown = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_TRUE(words[i] == ids[i] || words[i] == 9);
    unknown += words[i] == 9;
    for (size_t k = 0; k < 3; ++k) EXPECT_EQ(rows[3 * i + k], rows[3 * (i % 40)]);
  }
  EXPECT_NEAR(static_cast<double>(unknown) / 2000, 0.2, 0.027);
  EXPECT_GT(share_of_zeros(rows), 0.03);
  EXPECT_LT(share_of_zeros(rows), 0.45);
}

TEST(Random, RatesAreProbabilities) {
  auto refuse = [](double rate) {
    try {
      Function("f", f32, [&](Trace& t) { t.output("y", dropout(ones({2}), rate)); });
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  const int line = __LINE__ - 6;
  const std::string place = " in dropout/dropout_mask (random_test.cpp:" + std::to_string(line) + ")";
  EXPECT_EQ(refuse(1), "rondo: a rate of 1 is not in [0,1)" + place);
  EXPECT_EQ(refuse(-0.5), "rondo: a rate of -0.5 is not in [0,1)" + place);
}

/// A cell that adds x to all of its state.
struct Sum {
  struct State {
    Tensor h, c;
  };
  State initial(const Dim& batch) const { return {zeros({batch, 2000}), zeros({batch, 2000})}; }
  State operator()(const State& s, Operand x) const { return {s.h + x, s.c + x}; }
};

/// The state of a cell after x = 1 and then 0, so many steps in all.
template <class Cell>
Function after_steps(const Cell& cell, int64_t steps) {
  return Function("f", f64, [&](Trace& t) {
    const Tensor x = select(equal(iota({steps, 1, 2000}, 0), 0), ones({steps, 1, 2000}), 0);
    t.output("s", scan(cell.initial(1), x, [&](const Sum::State& s, Tensor x) { return cell(s, x); }));
  });
}

TEST(Random, RecurrentDropoutHasOneMaskForAllSteps) {
  const Function f = after_steps(RecurrentDropout<Sum>{Sum(), 0.25}, 3);
  Reference r = in_training(f);
  r.run();
  const Numbers &h = r.at("s.0").data, &c = r.at("s.1").data;
  EXPECT_NEAR(share_of_zeros(h), 0.25, 0.03);  // two masks would leave more zeros
  EXPECT_EQ(std::set<double>(h.begin(), h.end()), (std::set<double>{0, 1 / 0.75 / 0.75}));
  EXPECT_EQ(c, Numbers(2000, 1));
}

TEST(Random, ZoneoutOfACellHasARateForItsOutputAndOneForItsMemory) {
  const Function f = after_steps(Zoneout<Sum>{Sum(), 0.1, 0.4}, 1);
  Reference r = in_training(f), evaluated(bind_training(f, false), Weights());
  r.run();
  evaluated.run();
  EXPECT_NEAR(share_of_zeros(r.at("s.0").data), 0.1, 0.02);
  EXPECT_NEAR(share_of_zeros(r.at("s.1").data), 0.4, 0.033);
  EXPECT_EQ(evaluated.at("s.0").data, Numbers(2000, 0.9));
  EXPECT_EQ(evaluated.at("s.1").data, Numbers(2000, 0.6));
}

TEST(Random, NoisyCellsAreLayers) {
  const StackModel model(f64, 5, 4, [](Model& m) -> std::vector<Layer> {
    return {RecurrentDropout<Gru>{Gru(m, "gru", 4, 6), 0.3}, Dropout{0.2},
            Zoneout<Lstm>{Lstm(m, "lstm", 6, 5)}};
  });
  const GradientCheck check = check_gradients(loss_function(model, {}, {}, softmax_cross_entropy),
                                              model.init(1), {.dims = {{"T", 4}, {"B", 2}}});
  EXPECT_TRUE(check.passed()) << to_string(check);
}

/// A character model with all of it.
struct Noisy : Model {
  Embedding embed{*this, "embed", 5, 8};
  Lstm cell{*this, "cell", 8, 8};
  Linear head{*this, "head", 8, 5};
  explicit Noisy(DType dtype) : Model(dtype) {}
  Lstm::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor id) const {
    const Tensor x = embedding_dropout(embed(word_dropout(id, 0.2, 0)), id, 5, 0.1);
    Lstm::State next = cell({dropout(s.h, 0.2, Draw::once), s.c}, dropout(x, 0.3));
    next.c = zoneout(s.c, next.c, 0.1);
    return {next, head(dropout(next.h, 0.3))};
  }
};

const Numbers kIds = {0, 1, 2, 3, 4, 0, 1, 2}, kNext = {1, 2, 3, 4, 0, 1, 2, 3};

TEST(Random, GradientsAreThoseOfTheMasksThatWereDrawn) {
  Noisy model(f64);
  const Function loss = loss_function(model, {}, {}, softmax_cross_entropy);
  auto fed = [](Function f, const Weights& w) {
    Reference r(std::move(f), w);
    r.set("x", {4, 2}, kIds);
    r.set("target", {4, 2}, kNext);
    r.set("random.seed", {}, {5});
    r.run();
    return r;
  };
  const Reference gradients = fed(gradient(loss), model.init(2));
  for (const Param& p : model.params()) {
    const Numbers& d = gradients.at("d_" + p.name()).data;
    for (size_t i = 0; i < d.size(); i += 1 + d.size() / 7) {
      double at[2];
      for (int side : {0, 1}) {
        Weights moved = model.init(2);
        moved.at(p.name()).as<double>()[i] += side ? 1e-5 : -1e-5;
        at[side] = fed(bind_training(loss, true), moved).scalar("loss");
      }
      EXPECT_NEAR(d[i], (at[1] - at[0]) / 2e-5, 1e-9) << p.name() << " " << i;
    }
  }
}

/// A run of some updates; its losses, and everything it leaves.
struct Updates {
  Numbers losses;
  Weights all;
};

/// Goes on from what an earlier run left, if given.
Updates train_some(int updates, const Weights* before = nullptr) {
  Model m;
  const Param w = m.param("w", {16, 16});
  const Function loss("loss", m, [&](Trace& t) {
    t.output("loss", mean(square(dropout(matmul(dropout(ones({4, 16}), 0.5), w), 0.5) - 1)));
  });
  Program p = compile_training(loss, Adam{}, m.init(1));
  if (before) p.weights().assign(*before);
  p.i32("random.seed")[0] = 11;
  Updates run{{}, p.weights()};
  for (int i = 0; i < updates; ++i) {
    p.run();
    p.reset();
    run.losses.push_back(p.f32("loss")[0]);
  }
  return run;
}

TEST(Random, ARunResumesToTheBit) {
  const Updates whole = train_some(6), first = train_some(3), second = train_some(3, &first.all);
  Numbers losses = first.losses;
  losses.insert(losses.end(), second.losses.begin(), second.losses.end());
  EXPECT_EQ(losses, whole.losses);
  EXPECT_EQ(std::set<double>(losses.begin(), losses.end()).size(), 6u);
  for (const auto& [name, buffer] : whole.all.all())
    EXPECT_EQ(array_of(buffer).data, array_of(second.all.at(name)).data) << name;
  EXPECT_EQ(whole.all.at("random.count").as<int32_t>()[0], 6);
}

TEST(Random, NativeTrainingDrawsWhatTheEvaluatorDraws) {
  Noisy model(f64);
  const Function loss = loss_function(model, {}, {}, softmax_cross_entropy);
  const Weights weights = model.init(2);
  Reference r(training_function(loss, Sgd{}), weights);
  Program p = compile_training(loss, Sgd{}, weights);
  p.resize({{"T", 4}, {"B", 2}});
  p.set("x", std::vector<int32_t>(kIds.begin(), kIds.end()));
  p.set("target", std::vector<int32_t>(kNext.begin(), kNext.end()));
  r.set("x", {4, 2}, kIds);
  r.set("target", {4, 2}, kNext);
  for (int i = 0; i < 4; ++i) {
    p.run();
    r.run();
    EXPECT_NEAR(p.f64("loss")[0], r.scalar("loss"), 1e-12);
  }
}

}  // namespace
}  // namespace rondo::test
