// ONNX models of several nodes: named dims, control flow, states, and layouts.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "tests/frontend/reference.h"
#include "tests/import/onnx_graphs.h"

namespace rondo {
namespace {

using testing::import;
using testing::random_array;
using Numbers = std::vector<double>;

test::Reference reference(const ImportedModel& model) { return {model.function("run"), model.weights}; }

/// One direction of an LSTM by its equations: h after each step, for x [T][2] of one row. Gates i, o, f, c.
std::vector<Numbers> plain_lstm(const std::vector<Numbers>& xs, size_t direction, bool reverse) {
  const Numbers w = random_array({2, 12, 2}, 1).data, r = random_array({2, 12, 3}, 2).data,
                b = random_array({2, 24}, 3).data;
  auto logistic = [](double v) { return 1 / (1 + std::exp(-v)); };
  Numbers h(3), c(3);
  std::vector<Numbers> hs(xs.size());
  for (size_t i = 0; i < xs.size(); ++i) {
    const size_t t = reverse ? xs.size() - 1 - i : i;
    Numbers z(12);
    for (size_t g = 0; g < 12; ++g) {
      z[g] = b[direction * 24 + g] + b[direction * 24 + 12 + g];
      for (size_t k = 0; k < 2; ++k) z[g] += w[direction * 24 + g * 2 + k] * xs[t][k];
      for (size_t k = 0; k < 3; ++k) z[g] += r[direction * 36 + g * 3 + k] * h[k];
    }
    for (size_t j = 0; j < 3; ++j) {
      c[j] = logistic(z[6 + j]) * c[j] + logistic(z[j]) * std::tanh(z[9 + j]);
      h[j] = logistic(z[3 + j]) * std::tanh(c[j]);
    }
    hs[t] = h;
  }
  return hs;
}

TEST(OnnxGraphs, ShapesHaveNamedDims) {
  const ImportedModel model = import(testing::tagger());
  const ir::Func& func = model.function("run").func;
  EXPECT_EQ(to_string(func.type(func.params[0])), "f32[batch,time,2]");
  EXPECT_EQ(to_string(func.type(func.results[0])), "f32[batch,time,2]");
  EXPECT_EQ(to_string(func.type(func.results[1])), "f32[batch,3]");
  Program run = compile(model.function("run"), model.weights);
  const Numbers head = random_array({2, 6}, 4).data, bias = random_array({2}, 5).data;
  for (auto [rows, steps] : {std::pair<size_t, size_t>(1, 1), {3, 5}}) {
    run.resize({{"batch", static_cast<int64_t>(rows)}, {"time", static_cast<int64_t>(steps)}});
    const Numbers x = random_array({static_cast<int64_t>(rows * steps * 2)}, 9).data;
    run.set("x", std::vector<float>(x.begin(), x.end()));
    run.run();
    for (size_t b = 0; b < rows; ++b) {
      std::vector<Numbers> xs;
      for (size_t t = 0; t < steps; ++t) xs.push_back({x[(b * steps + t) * 2], x[(b * steps + t) * 2 + 1]});
      const auto forward = plain_lstm(xs, 0, false), backward = plain_lstm(xs, 1, true);
      for (size_t t = 0; t < steps; ++t)
        for (size_t o = 0; o < 2; ++o) {
          double want = bias[o];
          for (size_t j = 0; j < 3; ++j)
            want += head[o * 6 + j] * forward[t][j] + head[o * 6 + 3 + j] * backward[t][j];
          EXPECT_NEAR(run.f32("scores")[(b * steps + t) * 2 + o], want, 1e-5);
        }
      for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(run.f32("last")[b * 3 + j], backward[0][j], 1e-5);
    }
  }
}

TEST(OnnxGraphs, WeightsKeepTheirNames) {
  const ImportedModel model = import(testing::tagger());
  std::vector<std::string> names;
  for (const auto& [name, buffer] : model.weights.all()) names.push_back(name);
  // What is transposed is a constant of its own; shapes and zeros are none that take memory.
  EXPECT_EQ(names, (std::vector<std::string>{"head.bias", "head.matrix", "lstm_B", "lstm_R_T0", "lstm_R_T1",
                                             "lstm_W_T0", "lstm_W_T1"}));
}

TEST(OnnxGraphs, DimsCanBeFixed) {
  const ImportedModel model = import(testing::tagger(), {.dims = {{"batch", 4}}});
  const ir::Func& func = model.function("run").func;
  EXPECT_EQ(to_string(func.type(func.results[0])), "f32[4,time,2]");
}

TEST(OnnxGraphs, DimsWithoutNamesAreNamedByTheirInput) {
  ::onnx::ModelProto model = testing::empty_model();
  testing::add_input(*model.mutable_graph(), "the input", DType::f32, {"", "batch-size", "3"});
  testing::add_node(*model.mutable_graph(), "Exp", {"the input"}, {"0"});
  testing::add_output(*model.mutable_graph(), "0");
  const Function run = import(model).function("run");
  EXPECT_EQ(to_string(run.func.type(run.func.params[0])), "f32[the_input_0,batch_size,3]");
  EXPECT_EQ(run.outputs, (std::vector<std::string>{"_0"}));
}

TEST(OnnxGraphs, LoopsFewAndMany) {
  for (int64_t steps : {1, 5, 30}) {  // few steps are unrolled
    test::Reference run = reference(import(testing::counting_loop(steps)));
    run.set("s", {2}, {1, -2});
    run.run();
    double sum = 0;
    const ir::Array& all = run.at("all");
    ASSERT_EQ(all.shape, (std::vector<int64_t>{steps, 2}));
    for (int64_t t = 0; t < steps; ++t) {
      sum += static_cast<double>(t);
      EXPECT_EQ(all.data[2 * t], 2 * (1 + sum));
      EXPECT_EQ(all.data[2 * t + 1], 2 * (sum - 2));
    }
    EXPECT_EQ(run.at("last").data, (Numbers{1 + sum, sum - 2}));
  }
}

TEST(OnnxGraphs, ScansGoBackwardsAlongAnyAxis) {
  test::Reference run = reference(import(testing::sums_from_the_end()));
  run.set("x", {2, 3}, {1, 2, 4, 10, 20, 40});
  run.run();
  EXPECT_EQ(run.at("total").data, (Numbers{7.5, 69.5}));
  EXPECT_EQ(run.at("sums").data, (Numbers{7.5, 6.5, 4.5, 69.5, 59.5, 39.5}));
}

TEST(OnnxGraphs, ConditionsChoose) {
  test::Reference run = reference(import(testing::branches()));
  for (double condition : {1., 0.}) {
    run.set("condition", {}, {condition});
    run.set("x", {2}, {5, 7});
    run.run();
    EXPECT_EQ(run.at("y").data, condition != 0 ? (Numbers{6, 8}) : (Numbers{4, 6}));
    const ImportedModel fixed = import(testing::branches(), {.values = {{"condition", condition}}});
    EXPECT_EQ(fixed.function("run").func.params.size(), 1u);
    test::Reference alone = reference(fixed);
    alone.set("x", {2}, {5, 7});
    alone.run();
    EXPECT_EQ(alone.at("y").data, run.at("y").data);
  }
}

/// x [T,B,2] and a state [1,B,3] through one layer.
::onnx::ModelProto layer(const char* op, int64_t gates, bool batch_first) {
  ::onnx::ModelProto model = testing::empty_model();
  ::onnx::GraphProto& g = *model.mutable_graph();
  const std::vector<std::string> x =
      batch_first ? std::vector<std::string>{"B", "T", "2"} : std::vector<std::string>{"T", "B", "2"};
  const std::vector<std::string> h =
      batch_first ? std::vector<std::string>{"B", "1", "3"} : std::vector<std::string>{"1", "B", "3"};
  testing::add_input(g, "x", DType::f32, x);
  testing::add_input(g, "h", DType::f32, h);
  testing::add_constant(g, "w", random_array({1, gates * 3, 2}, 1));
  testing::add_constant(g, "r", random_array({1, gates * 3, 3}, 2));
  ::onnx::NodeProto& node = testing::add_node(g, op, {"x", "w", "r", "", "", "h"}, {"y", "h_after"});
  if (batch_first) testing::set(node, "layout", 1);
  testing::add_output(g, "y");
  testing::add_output(g, "h_after");
  return model;
}

TEST(OnnxGraphs, StatesLiveInThePrograms) {
  const ImportedModel model = import(layer("GRU", 3, false), {.state = {{"h", "h_after"}}});
  const Function& run = model.function("run");
  Program whole = compile(run, model.weights), step = compile(run, model.weights, {.dims = {{"T", 1}}});
  whole.resize({{"T", 6}, {"B", 2}});
  step.resize({{"B", 2}});
  const Numbers numbers = random_array({6, 2, 2}, 7).data;
  const std::vector<float> x(numbers.begin(), numbers.end());
  whole.set("x", x);
  whole.run();
  for (int64_t t = 0; t < 6; ++t) {
    step.set("x", std::span(x).subspan(4 * t, 4));
    step.run();
    for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(step.f32("y")[i], whole.f32("y")[6 * t + i]) << t;
  }
}

TEST(OnnxGraphs, LayoutIsAMatterOfAxes) {
  for (const auto& [op, gates] : {std::pair("GRU", 3), std::pair("RNN", 1), std::pair("LSTM", 4)}) {
    test::Reference time_first = reference(import(layer(op, gates, false)));
    test::Reference batch_first = reference(import(layer(op, gates, true)));
    const Numbers x = random_array({4, 2, 2}, 7).data;  // [T,B,2]
    Numbers swapped;
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t t = 0; t < 4; ++t)
        for (int64_t i = 0; i < 2; ++i) swapped.push_back(x[(t * 2 + b) * 2 + i]);
    const Numbers h = random_array({6}, 8).data;
    time_first.set("x", {4, 2, 2}, x);
    time_first.set("h", {1, 2, 3}, h);
    batch_first.set("x", {2, 4, 2}, swapped);
    batch_first.set("h", {2, 1, 3}, h);
    time_first.run();
    batch_first.run();
    EXPECT_EQ(time_first.at("y").shape, (std::vector<int64_t>{4, 1, 2, 3}));
    EXPECT_EQ(batch_first.at("y").shape, (std::vector<int64_t>{2, 4, 1, 3}));
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t t = 0; t < 4; ++t)
        for (int64_t i = 0; i < 3; ++i)
          EXPECT_EQ(batch_first.at("y").data[(b * 4 + t) * 3 + i],
                    time_first.at("y").data[(t * 2 + b) * 3 + i]);
    EXPECT_EQ(batch_first.at("h_after").data, time_first.at("h_after").data);
  }
}

TEST(OnnxGraphs, DoublesAreF64) {
  ::onnx::ModelProto model = testing::empty_model();
  ::onnx::GraphProto& g = *model.mutable_graph();
  testing::add_input(g, "x", DType::f64, {"2"});
  testing::add_constant(g, "w", {DType::f64, {2}, {0.1, 0.7}});
  testing::add_node(g, "Mul", {"x", "w"}, {"y"});
  testing::add_output(g, "y");
  const ImportedModel imported = import(model);
  Program run = compile(imported.function("run"), imported.weights);
  run.set("x", Numbers{3, 5});
  run.run();
  EXPECT_EQ(run.f64("y")[0], 3 * 0.1);
  EXPECT_EQ(run.f64("y")[1], 5 * 0.7);
}

/// Parts of an axis whose extent only the call tells.
TEST(OnnxGraphs, NamedAxesAreCutFromTheirEnd) {
  ::onnx::ModelProto model = testing::empty_model();
  ::onnx::GraphProto& g = *model.mutable_graph();
  testing::add_input(g, "x", DType::f32, {"T", "2"});
  testing::add_constant(g, "zero", testing::integers({0}));
  testing::add_constant(g, "minus_one", testing::integers({-1}));
  testing::add_constant(g, "minus_two", testing::integers({-2}));
  testing::add_constant(g, "far", testing::integers({0x1p63}));
  testing::add_constant(g, "low", testing::integers({-0x1p63}));
  testing::add_constant(g, "last", testing::integer(-1));
  testing::add_node(g, "Slice", {"x", "minus_two", "far", "zero"}, {"two"});
  testing::add_node(g, "Slice", {"x", "minus_one", "low", "zero", "minus_one"}, {"reversed"});
  testing::add_node(g, "Slice", {"x", "zero", "far", "zero"}, {"same"});
  testing::add_node(g, "Gather", {"x", "last"}, {"row"});
  for (const char* name : {"two", "reversed", "same", "row"}) testing::add_output(g, name);
  test::Reference run = reference(import(model));
  run.set("x", {3, 2}, {1, 2, 3, 4, 5, 6});
  run.run();
  EXPECT_EQ(run.at("two").data, (Numbers{3, 4, 5, 6}));
  EXPECT_EQ(run.at("reversed").data, (Numbers{5, 6, 3, 4, 1, 2}));
  EXPECT_EQ(run.at("same").data, (Numbers{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(run.at("row").data, (Numbers{5, 6}));
}

}  // namespace
}  // namespace rondo
