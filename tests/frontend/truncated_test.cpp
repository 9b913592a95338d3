// Truncated back-propagation through time against windows whose gradients are taken one by one.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "support/error.h"
#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

constexpr int64_t kBatch = 2;
constexpr double kRate = 0.3;
const StepInput kNumber{f64, {1}};

struct Echo : Model {
  Lstm cell{*this, "cell", 1, 3};
  Linear head{*this, "head", 3, 1};
  Echo() : Model(f64) {}
  Lstm::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor x) const {
    const Lstm::State next = cell(s, x);
    return {next, head(next.h)};
  }
};

Numbers rows(const Numbers& all, int64_t begin, int64_t end) {
  return {all.begin() + begin * kBatch, all.begin() + end * kBatch};
}

/// Sets all of a sequence's steps from begin to end.
void set_steps(Reference& r, const char* name, const Numbers& all, int64_t begin, int64_t end) {
  r.set(name, {end - begin, kBatch, 1}, rows(all, begin, end));
}

/// The weights after some updates, by windows that know nothing of each other: each starts from the state
/// that a run of the steps between its start and the one before has led to, and its loss is that of its last
/// k1 steps.
Weights by_hand(const Echo& model, const Numbers& x, const Numbers& target, int64_t k1, int64_t k2,
                int updates) {
  Weights weights = model.init(1);
  const Function window = gradient(Function("window", model, [&](Trace& t) {
    const Lstm::State start{t.input("h", {kBatch, 3}), t.input("c", {kBatch, 3})};
    auto context = [&](const Lstm::State& s, Tensor x) { return model.step(s, x).first; };
    const Lstm::State before = scan(start, t.input("context", {"C", kBatch, 1}), context);
    const Tensor y = run(model, before, t.input("x", {"T", kBatch, 1})).second;
    t.output("loss", mse(y, t.input("target", {"T", kBatch, 1})));
  }));
  const Function advance = run_function(model, kNumber);
  std::vector<Numbers> start(2, Numbers(kBatch * 3, 0));
  int64_t begin = 0;
  for (int64_t end = k1; end <= updates * k1; end += k1) {
    Reference r(window, weights), moved(advance, weights);
    for (int i : {0, 1}) r.set(i ? "c" : "h", {kBatch, 3}, start[i]);
    set_steps(r, "context", x, begin, end - k1);
    set_steps(r, "x", x, end - k1, end);
    set_steps(r, "target", target, end - k1, end);
    r.run();
    const int64_t next_begin = std::max<int64_t>(0, end + k1 - k2);
    for (int i : {0, 1}) moved.set(i ? "state.1" : "state.0", {kBatch, 3}, start[i]);
    set_steps(moved, "x", x, begin, next_begin);
    moved.run();
    for (int i : {0, 1}) start[i] = moved.at(i ? "state.1" : "state.0").data;
    begin = next_begin;
    Weights updated = model.init(1);
    for (const Param& p : model.params()) {
      const Numbers& d = r.at("d_" + p.name()).data;
      const std::span<double> w = updated.at(p.name()).as<double>(), old = weights.at(p.name()).as<double>();
      for (size_t i = 0; i < d.size(); ++i) w[i] = old[i] - kRate * d[i];
    }
    weights = updated;
  }
  return weights;
}

/// The same by a training program, from these weights on.
void train_windows(Program& p, const Numbers& x, const Numbers& target, const TruncatedBptt& bptt,
                   int updates) {
  p.reset();
  for (int update = 0; update < updates; ++update) {
    const TruncatedBptt::Window w = bptt.window(update);
    bptt.prepare(p, w);
    p.set("x", rows(x, w.begin, w.end));
    p.set("target", rows(target, w.begin, w.end));
    p.run();
  }
}

TEST(TruncatedBptt, UpdatesAsWindowsOneByOneDo) {
  const Echo model;
  const int updates = 6;
  const Numbers x = numbers(updates * 4 * kBatch, 1), target = numbers(updates * 4 * kBatch, 2);
  Weights have = model.init(1);
  Program program = compile_training(truncated_loss_function(model, kNumber, kNumber, SquaredError{}),
                                     Sgd{.lr = kRate}, have);
  program.resize({{"B", kBatch}});
  Numbers ends;
  for (auto [k1, k2] : {std::pair<int64_t, int64_t>(2, 2), {2, 4}, {2, 5}, {3, 4}, {1, 6}}) {
    const Weights expected = by_hand(model, x, target, k1, k2, updates);
    have.assign(model.init(1));
    train_windows(program, x, target, {.every = k1, .through = k2}, updates);
    for (const Param& p : model.params())
      for (size_t i = 0; i < have.at(p.name()).as<double>().size(); ++i)
        EXPECT_NEAR(have.at(p.name()).as<double>()[i], expected.at(p.name()).as<double>()[i], 1e-13)
            << k1 << ", " << k2 << ": " << p.name() << " " << i;
    ends.push_back(have.at("cell.wh").as<double>()[0]);
  }
  EXPECT_GT(std::abs(ends[1] - ends[0]), 1e-6);  // k2 matters
}

TEST(TruncatedBptt, WindowsCountEachStepOnce) {
  const TruncatedBptt bptt{.every = 2, .through = 5};
  const int64_t expected[][3] = {{0, 2, 0}, {0, 4, 1}, {1, 6, 2}, {3, 8, 2}};
  for (int64_t i = 0; i < 4; ++i) {
    const TruncatedBptt::Window w = bptt.window(i);
    EXPECT_EQ(w.begin, expected[i][0]);
    EXPECT_EQ(w.end, expected[i][1]);
    EXPECT_EQ(w.advance, expected[i][2]);
  }
}

TEST(TruncatedBptt, GradientsAreThoseOfTheCountedLoss) {
  const Echo model;
  const GradientCheck check =
      check_gradients(truncated_loss_function(model, kNumber, kNumber, SquaredError{}), model.init(1),
                      {.dims = {{"T", 5}, {"B", kBatch}}, .inputs = {{"counted", {2}}, {"advance", {3}}}});
  EXPECT_TRUE(check.passed()) << to_string(check);
}

TEST(TruncatedBptt, RefusesToLeaveStepsOut) {
  for (const TruncatedBptt& bptt : {TruncatedBptt{.every = 3, .through = 2}, {.every = 0, .through = 2}})
    EXPECT_THROW(bptt.window(0), Error);
}

}  // namespace
}  // namespace rondo::test
