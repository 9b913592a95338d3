// Rows of different lengths in the DSL: pooling, sorting, and programs that take lengths, against each row by
// itself and with garbage as padding.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>
#include <limits>
#include <numeric>

#include "support/error.h"
#include "tests/frontend/reference.h"
#include "tests/runtime/util.h"

namespace rondo::test {
namespace {

using rondo::testing::error_of;
using Numbers = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Lengths, PoolingOverTimeIgnoresWhatIsBeyond) {
  Function function("f", f64, [](Trace& t) {
    const Tensor x = t.input("x", {"T", "B", 1}), lengths = t.input("lengths", i32, {"B"});
    t.output("mean", mean_over_time(x, lengths));
    t.output("max", max_over_time(x, lengths));
    t.output("zeroed", zero_beyond(x, lengths));
    t.output("mask", mask_of(lengths, "T"));
  });
  Reference reference(function, {});
  reference.set("x", {3, 3, 1}, {-1, -5, kNan, -2, kNan, kNan, -6, 7, kNan});
  reference.set("lengths", {3}, {3, 1, 0});
  reference.run();
  EXPECT_EQ(reference.at("mean").data, (Numbers{-3, -5, 0}));
  EXPECT_EQ(reference.at("max").data, (Numbers{-1, -5, 0}));
  EXPECT_EQ(reference.at("zeroed").data, (Numbers{-1, -5, 0, -2, 0, 0, -6, 0, 0}));
  EXPECT_EQ(reference.at("mask").data, (Numbers{1, 1, 0, 1, 0, 0, 1, 0, 0}));
}

TEST(Lengths, RowsAreSortedAndRestored) {
  Function function("f", f64, [](Trace& t) {
    const Tensor x = t.input("x", {"T", "B"}), s = t.input("s", {"B"});
    const SortedRows rows(t.input("lengths", i32, {"B"}));
    t.output("lengths", rows.lengths());
    t.output("s", rows.sorted(s));
    t.output("x", rows.sorted_steps(x));
    t.output("same s", rows.restored(rows.sorted(s)));
    t.output("same x", rows.restored_steps(rows.sorted_steps(x)));
  });
  Reference reference(function, {});
  const Numbers x{1, 2, 3, 4, 5, 10, 20, 30, 40, 50};
  reference.set("x", {2, 5}, x);
  reference.set("s", {5}, {1, 2, 3, 4, 5});
  reference.set("lengths", {5}, {1, 2, 0, 2, 1});
  reference.run();
  EXPECT_EQ(reference.at("lengths").data, (Numbers{2, 2, 1, 1, 0}));
  EXPECT_EQ(reference.at("s").data, (Numbers{2, 4, 1, 5, 3}));
  EXPECT_EQ(reference.at("x").data, (Numbers{2, 4, 1, 5, 3, 20, 40, 10, 50, 30}));
  EXPECT_EQ(reference.at("same s").data, (Numbers{1, 2, 3, 4, 5}));
  EXPECT_EQ(reference.at("same x").data, x);
}

/// Two LSTM layers on numbers, or on ids, and a head.
struct Net : Model {
  Lstm first, second;
  Linear head;
  explicit Net(DType dtype, int64_t in = 2) : Model(dtype) {
    first = Lstm(*this, "first", in, 6);
    second = Lstm(*this, "second", 6, 5);
    head = Linear(*this, "head", 5, 3);
  }
  struct State {
    Lstm::State first, second;
  };
  State initial(Dim batch) const { return {first.initial(batch), second.initial(batch)}; }
  std::pair<State, Tensor> step(State s, Tensor x) const {
    s.first = first(s.first, x);
    s.second = second(s.second, s.first.h);
    return {s, head(s.second.h)};
  }
};

constexpr int64_t kSteps = 4, kRows = 5;
const std::vector<int32_t> kLengths{2, 4, 0, 1, 4};

/// x [T,B,width] with `padding` beyond the lengths; rows in the order given.
Numbers sequences(int64_t width, double padding, const std::vector<int>& order) {
  const Numbers all = numbers(kSteps * kRows * width, 3);
  Numbers x;
  for (int64_t t = 0; t < kSteps; ++t)
    for (int row : order)
      for (int64_t i = 0; i < width; ++i)
        x.push_back(t < kLengths[row] ? all[(t * kRows + row) * width + i] : padding);
  return x;
}

std::vector<int32_t> lengths_in(const std::vector<int>& order) {
  std::vector<int32_t> lengths;
  for (int row : order) lengths.push_back(kLengths[row]);
  return lengths;
}

const std::vector<int> kOrder{0, 1, 2, 3, 4}, kOther{4, 2, 0, 3, 1};

TEST(Lengths, ARowIsWhatItIsByItself) {
  const Net model(f64);
  const Weights weights = model.init(1);
  const StepInput input{f64, {2}};
  Program batch = compile(run_function(model, input, {.lengths = true}), weights);
  Program alone = compile(run_function(model, input), weights);
  batch.resize({{"T", kSteps}, {"B", kRows}});
  batch.set("x", std::span<const double>(sequences(2, kNan, kOrder)));
  batch.set("lengths", kLengths);
  batch.run();
  const Numbers y = array_of(batch.buffer("y")).data;
  const Weights state = batch.state();
  for (int64_t row = 0; row < kRows; ++row) {
    alone.resize({{"T", kLengths[row]}, {"B", 1}});
    Numbers x;
    const Numbers all = sequences(2, 0, {static_cast<int>(row), 0, 0, 0, 0});
    for (int64_t t = 0; t < kLengths[row]; ++t)
      x.insert(x.end(), all.begin() + t * kRows * 2, all.begin() + t * kRows * 2 + 2);
    alone.set("x", std::span<const double>(x));
    alone.reset();
    alone.run();
    const Numbers mine = array_of(alone.buffer("y")).data;
    for (int64_t t = 0; t < kSteps; ++t)
      for (int64_t i = 0; i < 3; ++i)
        EXPECT_EQ(y[(t * kRows + row) * 3 + i], t < kLengths[row] ? mine[t * 3 + i] : 0);
    const Weights last = alone.state();
    for (const auto& [name, buffer] : last.all()) {
      const Numbers of_row = array_of(buffer).data, of_all = array_of(state.at(name)).data;
      for (size_t i = 0; i < of_row.size(); ++i)
        EXPECT_EQ(of_all[row * of_row.size() + i], of_row[i]) << name;
    }
  }
}

/// A program of the loss and its gradients.
Program& gradient_program() {
  static const Net model(f32);
  static Program program =
      compile(gradient(loss_function(model, {f32, {2}}, {f32, {3}}, mse, {.lengths = true})), model.init(1));
  return program;
}

/// What it gives for rows in this order.
std::vector<Numbers> gradients(const std::vector<int>& order, double padding) {
  Program& program = gradient_program();
  program.resize({{"T", kSteps}, {"B", kRows}});
  auto set = [&](const char* name, const Numbers& values) {
    program.set(name, std::span<const float>(std::vector<float>(values.begin(), values.end())));
  };
  set("x", sequences(2, padding, order));
  set("target", sequences(3, padding, order));
  program.set("lengths", lengths_in(order));
  program.reset();
  program.run();
  std::vector<Numbers> results;
  for (size_t i = 0; i < program.signature().outputs.size(); ++i) {
    const std::string& name = program.signature().outputs[i].name;
    if (name == "loss" || name.starts_with("d_")) results.push_back(array_of(program.output(i)).data);
  }
  return results;
}

TEST(Lengths, PaddingAndTheOrderOfRowsDoNotMatter) {
  const auto expected = gradients(kOrder, 0);
  EXPECT_EQ(expected.size(), 9u);  // the loss; wx, wh, b of two layers; w, b of the head
  for (const Numbers& values : expected)
    for (double v : values) ASSERT_TRUE(std::isfinite(v));
  for (double garbage : {kNan, std::numeric_limits<double>::infinity(), 1e30})
    EXPECT_EQ(gradients(kOrder, garbage), expected) << garbage;
  // Rows of one length change places, so sums over rows have another order.
  const auto other = gradients(kOther, kNan);
  for (size_t i = 0; i < expected.size(); ++i)
    for (size_t k = 0; k < expected[i].size(); ++k) EXPECT_NEAR(other[i][k], expected[i][k], 1e-6);
}

TEST(Lengths, NoRowsAtAllCount) {
  Program& program = gradient_program();
  for (int64_t steps : {0, 2}) {
    program.resize({{"T", steps}, {"B", 2}});
    program.set("lengths", std::vector<int32_t>{0, 0});
    program.run();
    for (size_t i = 0; i < program.signature().outputs.size(); ++i)
      for (double v : array_of(program.output(i)).data) EXPECT_EQ(v, 0);
  }
}

/// Ids to logits.
struct CharNet : Net {
  Embedding embedding{*this, "embedding", 7, 2};
  CharNet() : Net(f32) {}
  std::pair<State, Tensor> step(const State& s, Tensor id) const { return Net::step(s, embedding(id)); }
};

TEST(Lengths, AreCheckedBeforeTheCallAndSoAreIds) {
  const CharNet model;
  Program program = compile(run_function(model, {}, {.lengths = true}), model.init(1));
  program.resize({{"T", 3}, {"B", 2}});
  auto run = [&](std::vector<int32_t> lengths) {
    program.set("lengths", lengths);
    program.run();
  };
  EXPECT_NO_THROW(run({3, 0}));
  EXPECT_EQ(error_of([&] { run({3, 4}); }), "lengths: 4 at [1] is outside [0,T], T = 3");
  EXPECT_EQ(error_of([&] { run({-1, 3}); }), "lengths: -1 at [0] is outside [0,T], T = 3");
  program.i32("x")[3] = 70;
  EXPECT_EQ(error_of([&] { run({3, 3}); }), "x: 70 at [1,1] is outside [0,7)");
}

}  // namespace
}  // namespace rondo::test
