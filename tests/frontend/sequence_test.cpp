// Layers over sequences: each against the cells and layers that it is made of, run by themselves.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

constexpr int kSteps = 4, kBatch = 2, kIn = 3;

/// The layer's ys and final states "last.0" ... for xs, evaluated with weights of seed 1.
Reference evaluated(const Model& model, const std::function<void(Trace&, Tensor xs)>& body) {
  Reference reference(Function("f", model,
                               [&](Trace& t) {
                                 body(t, t.input("xs", {"T", "B", kIn}));
                               }),
                      model.init(1));
  reference.set("xs", {kSteps, kBatch, kIn}, numbers(kSteps * kBatch * kIn, 4));
  reference.run();
  return reference;
}

template <class L>
void output(Trace& t, const L& layer, Tensor xs, const std::string& prefix = "",
            const ScanOptions& options = {}) {
  auto [last, ys] = layer(layer.initial("B"), xs, options);
  t.output(prefix + "ys", ys);
  t.output(prefix + "last", last);
}

TEST(Bidirectional, IsOfAnyTwoCells) {
  Model m(f64);
  const Lstm lstm(m, "lstm", kIn, 3);
  const Gru gru(m, "gru", kIn, 3);
  const Reference r = evaluated(m, [&](Trace& t, Tensor xs) {
    output(t, Bidirectional(lstm, gru), xs, "concat_");
    output(t, Bidirectional(lstm, gru, Merge::sum), xs, "sum_");
    output(t, OverTime<Lstm>{lstm}, xs, "forward_");
    output(t, OverTime<Gru>{gru}, xs, "backward_", {.reverse = true});
  });
  const Numbers &forward = r.at("forward_ys").data, &backward = r.at("backward_ys").data;
  const Numbers &both = r.at("concat_ys").data, &sum = r.at("sum_ys").data;
  ASSERT_EQ(r.at("concat_ys").shape, (std::vector<int64_t>{kSteps, kBatch, 6}));
  for (int i = 0; i < kSteps * kBatch; ++i)
    for (int j = 0; j < 3; ++j) {
      EXPECT_EQ(both[i * 6 + j], forward[i * 3 + j]);
      EXPECT_EQ(both[i * 6 + 3 + j], backward[i * 3 + j]);
      EXPECT_EQ(sum[i * 3 + j], forward[i * 3 + j] + backward[i * 3 + j]);
    }
  for (const char* state : {"last.0", "last.1"})
    EXPECT_EQ(r.at(std::string("concat_") + state).data, r.at(std::string("forward_") + state).data);
  EXPECT_EQ(r.at("concat_last.2").data, r.at("backward_last.0").data);
  // Backward in time, the final state is that at the first step.
  EXPECT_EQ(r.at("backward_last.0").data, Numbers(backward.begin(), backward.begin() + kBatch * 3));
}

TEST(Bidirectional, WalksTheOtherWaysInAReversedScan) {
  Model m(f64);
  const Lstm one(m, "one", kIn, 3), other(m, "other", kIn, 3);
  const Reference r = evaluated(m, [&](Trace& t, Tensor xs) {
    output(t, Bidirectional(one, other, Merge::sum), xs, "a_", {.reverse = true});
    output(t, Bidirectional(other, one, Merge::sum), xs, "b_");
  });
  EXPECT_EQ(r.at("a_ys").data, r.at("b_ys").data);
}

TEST(Bidirectional, MayBeToldItsOutputSize) {
  Model m;
  EXPECT_EQ((Bidirectional<Lstm>(m, "a", kIn, 6).forward.cell.out), 3);
  EXPECT_EQ((Bidirectional<Gru>(m, "b", kIn, 5, Merge::sum).backward.cell.out), 5);
  EXPECT_EQ(m.params()[3].name(), "a.backward.wx");
}

TEST(Sequences, StackFeedsTheYsOfEachLayerToTheNext) {
  Model m(f64);
  const Bidirectional<Lstm> first(m, "first", kIn, 4);
  const LayerNorm norm(m, "norm", 4);
  const Gru last(m, "last", 4, 3);
  const Linear head(m, "head", 3, 2);
  SequenceStack stack;
  stack.layers = {first, norm, Residual(Rnn(m, "middle", 4, 4)),
                  last,  head, [](Operand x) { return 2 * Tensor(x); }};
  const Reference r = evaluated(m, [&](Trace& t, Tensor xs) {
    output(t, stack, xs, "stack_");
    const Tensor one = norm(first(first.initial("B"), xs).second);
    const SequenceLayer rnn = stack.layers[2];
    const Tensor two = rnn(rnn.initial("B"), one).second;
    auto [state, three] = OverTime<Gru>{last}(last.initial("B"), two);
    t.output("ys", head(three) * 2);
    t.output("gru", state);
  });
  EXPECT_EQ(r.at("stack_ys").shape, (std::vector<int64_t>{kSteps, kBatch, 2}));
  EXPECT_EQ(r.at("stack_ys").data, r.at("ys").data);
  EXPECT_EQ(r.at("stack_last.5").data, r.at("gru.0").data);  // after two of each direction, and the RNN's
}

TEST(Sequences, ResidualAddsItsInput) {
  Model m(f64);
  const Rnn rnn(m, "rnn", kIn, kIn);
  const Reference r = evaluated(m, [&](Trace& t, Tensor xs) {
    output(t, SequenceLayer(Residual(rnn)), xs, "residual_");
    output(t, OverTime<Rnn>{rnn}, xs);
    Stack stack;
    stack.layers = {Residual(rnn)};
    auto step = [&](const Stack::State& s, Tensor x) { return stack(s, x); };
    t.output("stepwise", scan(stack.initial("B"), xs, step).second);
  });
  const Numbers& xs = r.at("xs").data;
  for (size_t i = 0; i < xs.size(); ++i) EXPECT_EQ(r.at("residual_ys").data[i], xs[i] + r.at("ys").data[i]);
  EXPECT_EQ(r.at("stepwise").data, r.at("residual_ys").data);
  EXPECT_EQ(r.at("residual_last.0").data, r.at("last.0").data);
}

TEST(Sequences, ARowAmongLongerOnesIsAsAlone) {
  Model m(f64);
  SequenceStack stack;
  stack.layers = {Bidirectional<Lstm>(m, "first", kIn, 4), Bidirectional<Gru>(m, "second", 4, 2, Merge::sum),
                  Lstm(m, "third", 2, 2, {.projection = 1})};
  const Weights weights = m.init(1);
  const Function together("together", m, [&](Trace& t) {
    output(t, stack, t.input("xs", {"T", "B", kIn}), "", {.lengths = t.input("lengths", i32, {"B"})});
  });
  const Function alone("alone", m, [&](Trace& t) { output(t, stack, t.input("xs", {"T", "B", kIn})); });
  const int lengths[] = {2, 4, 0, 3}, rows = 4;
  Reference all(together, weights);
  const Numbers xs = numbers(kSteps * rows * kIn, 4);
  all.set("xs", {kSteps, rows, kIn}, xs);
  all.set("lengths", {rows}, Numbers(lengths, lengths + rows));
  all.run();
  for (int b = 0; b < rows; ++b) {
    Numbers mine;
    for (int t = 0; t < lengths[b]; ++t)
      for (int j = 0; j < kIn; ++j) mine.push_back(xs[(t * rows + b) * kIn + j]);
    Reference one(alone, weights);
    one.set("xs", {lengths[b], 1, kIn}, mine);
    one.run();
    for (int t = 0; t < kSteps; ++t)
      EXPECT_EQ(all.at("ys").data[t * rows + b], t < lengths[b] ? one.at("ys").data[t] : 0)
          << b << " at " << t;
    for (int s = 0; s < 8; ++s) {  // h, c of two directions; h of two; h, c
      const std::string name = "last." + std::to_string(s);
      const Numbers &last = all.at(name).data, &expected = one.at(name).data;
      const size_t width = expected.size();
      EXPECT_EQ(Numbers(last.begin() + b * width, last.begin() + (b + 1) * width), expected) << name;
    }
  }
}

TEST(Sequences, PaddingReachesNothing) {
  Model m(f64);
  SequenceStack stack;
  stack.layers = {Linear(m, "in", kIn, 4), LayerNorm(m, "norm", 4), Residual(Gru(m, "gru", 4, 4))};
  const Function loss("loss", m, [&](Trace& t) {
    const Tensor lengths = t.input("lengths", i32, {"B"});
    const Tensor ys = stack(stack.initial("B"), t.input("xs", {"T", "B", kIn}), {.lengths = lengths}).second;
    t.output("loss", mean_where(mask_of(lengths, "T"), mean(square(ys), -1)));
  });
  auto gradients = [&](double padding) {
    Numbers xs = numbers(3 * 2 * kIn, 4);
    for (int j = 0; j < kIn; ++j) xs[(1 * 2 + 0) * kIn + j] = xs[(2 * 2 + 0) * kIn + j] = padding;
    Reference r(gradient(loss), m.init(1));
    r.set("xs", {3, 2, kIn}, xs);
    r.set("lengths", {2}, {1, 3});
    r.run();
    Numbers all{r.scalar("loss")};
    for (const Param& p : m.params())
      for (double d : r.at("d_" + p.name()).data) all.push_back(d);
    return all;
  };
  const Numbers expected = gradients(0);
  for (double d : expected) ASSERT_TRUE(std::isfinite(d));
  EXPECT_EQ(gradients(NAN), expected);
  EXPECT_EQ(gradients(1e30), expected);
}

/// What dropout makes of ones [T,B,kIn] in training, in a stack of sequence layers and in one of steps.
std::pair<Numbers, Numbers> dropped(Draw draw) {
  const Function f("f", f64, [&](Trace& t) {
    const Tensor xs = t.input("xs", {"T", "B", kIn});
    SequenceStack sequence;
    sequence.layers = {Dropout{0.5, draw}};
    output(t, sequence, xs);
    Stack stack;
    stack.layers = {Dropout{0.5, draw}};
    auto step = [&](const Stack::State& s, Tensor x) { return stack(s, x); };
    t.output("stepwise", scan(stack.initial("B"), xs, step).second);
  });
  Reference r(bind_training(f, true), {});
  r.set("xs", {20, 10, kIn}, Numbers(20 * 10 * kIn, 1));
  r.run();
  return {r.at("ys").data, r.at("stepwise").data};
}

TEST(Sequences, DropoutIsOfEachStepOrOfAll) {
  const int row = 10 * kIn;
  auto expect = [&](const Numbers& y, bool one_mask) {
    int zeros = 0;
    bool same = true;
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_TRUE(y[i] == 0 || y[i] == 2);
      zeros += y[i] == 0;
      same = same && y[i] == y[i % row];
    }
    EXPECT_EQ(same, one_mask);
    EXPECT_NEAR(zeros / 600.0, 0.5, one_mask ? 0.36 : 0.08);  // four deviations of 30 or 600 draws
  };
  for (Draw draw : {Draw::each_step, Draw::once}) {
    const auto [sequence, stepwise] = dropped(draw);
    expect(sequence, draw == Draw::once);
    expect(stepwise, draw == Draw::once);
  }
}

TEST(Sequences, BatchFirstSwapsTheFirstTwoDims) {
  Model m(f64);
  SequenceStack stack;
  stack.layers = {Embedding(m, "embed", 7, kIn), Bidirectional<Gru>(m, "both", kIn, 4)};
  const BatchFirst<SequenceStack> swapped{stack};
  Reference r(Function("f", m,
                       [&](Trace& t) {
                         const Tensor ids = t.input("ids", i32, {"B", "T"});
                         output(t, swapped, ids);
                         output(t, stack, transpose(ids), "stack_");
                       }),
              m.init(1));
  r.set("ids", {2, 3}, {1, 0, 6, 5, 2, 2});
  r.run();
  EXPECT_EQ(r.at("ys").shape, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(r.at("last.0").data, r.at("stack_last.0").data);
  for (int b = 0; b < 2; ++b)
    for (int t = 0; t < 3; ++t)
      for (int j = 0; j < 4; ++j)
        EXPECT_EQ(r.at("ys").data[(b * 3 + t) * 4 + j], r.at("stack_ys").data[(t * 2 + b) * 4 + j]);
}

TEST(Sequences, LayerNormFollowsItsEquation) {
  Model m(f64);
  const LayerNorm norm(m, "norm", kIn, {.eps = 1e-3});
  Weights weights = m.init(1);
  const Numbers gain{2, -1, 0.5}, bias{1, 0, -3}, x{0.1, 0.5, -0.3, 4, 4, 4};
  std::copy(gain.begin(), gain.end(), weights.at("norm.gain").as<double>().begin());
  std::copy(bias.begin(), bias.end(), weights.at("norm.bias").as<double>().begin());
  Reference r(Function("f", m, [&](Trace& t) { t.output("y", norm(t.input("x", {"B", kIn}))); }), weights);
  r.set("x", {2, kIn}, x);
  r.run();
  for (int b = 0; b < 2; ++b) {
    const double mean = (x[b * 3] + x[b * 3 + 1] + x[b * 3 + 2]) / 3;
    double variance = 0;
    for (int j = 0; j < 3; ++j) variance += std::pow(x[b * 3 + j] - mean, 2) / 3;
    for (int j = 0; j < 3; ++j)
      EXPECT_NEAR(r.at("y").data[b * 3 + j],
                  gain[j] * (x[b * 3 + j] - mean) / std::sqrt(variance + 1e-3) + bias[j], 1e-13);
  }
}

}  // namespace
}  // namespace rondo::test
