// Import of the JSON files of RTNeural: layers by their equations, and what is refused.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <rondo/rondo.h>
#include <cmath>

#include "tests/frontend/reference.h"
#include "tests/runtime/util.h"

namespace rondo {
namespace {

using testing::error_of;
using testing::TempDir;

ImportedModel load(const std::string& text) {
  const TempDir dir;
  testing::write_text(dir.file("m.json"), text);
  return load_rtneural(dir.file("m.json"));
}

/// The outputs of one row over the steps, by run; step gives the same.
std::vector<double> outputs_of(const std::string& text, const std::vector<double>& xs, int64_t in = 1) {
  const ImportedModel model = load(text);
  const auto steps = static_cast<int64_t>(xs.size()) / in;
  test::Reference run(model.function("run"), model.weights), step(model.function("step"), model.weights);
  run.set("x", {steps, 1, in}, xs);
  run.run();
  const std::vector<double> ys = run.at("y").data;
  const size_t out = ys.size() / static_cast<size_t>(steps);
  for (int64_t t = 0; t < steps; ++t) {
    step.set("x", {1, in}, {xs.begin() + t * in, xs.begin() + (t + 1) * in});
    step.run();
    for (size_t i = 0; i < out; ++i) EXPECT_EQ(step.at("y").data[i], ys[t * out + i]);
  }
  return ys;
}

std::string keras(const std::string& layers, int in = 1) {
  return fmt::format(R"({{"in_shape": [null, null, {}], "layers": [{}], "author": "someone"}})", in, layers);
}

void expect_near(const std::vector<double>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-7) << i;
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

TEST(RtNeural, ConvolutionsSeeThePast) {
  const std::string conv =
      R"({"type": "conv1d", "activation": "", "shape": [null, null, 1], "kernel_size": [3],
                              "dilation": [2], "weights": [[[[2]], [[3]], [[5]]], [0.5]]})";
  // 0.5 + 2 x[t-4] + 3 x[t-2] + 5 x[t]
  expect_near(outputs_of(keras(conv), {1, 0, 10, 0, 100, 1}), {5.5, 0.5, 53.5, 0.5, 532.5, 5.5});
  const std::string single =
      R"({"type": "conv1d", "activation": "relu", "shape": [null, null, 2], "kernel_size": [1],
                                "dilation": [1], "weights": [[[[2, -1]]], [0.5, 0]]})";
  expect_near(outputs_of(keras(single), {1, -1}), {2.5, 0, 0, 1});
}

TEST(RtNeural, LayersWithoutTime) {
  const std::string dense =
      R"({"type": "dense", "activation": "tanh", "shape": [null, 2], "weights": [[[1, 2]], [0.5, -1]]})";
  expect_near(outputs_of(keras(dense), {0.25}), {std::tanh(0.75), std::tanh(-0.5)});
  const std::string prelu =
      R"({"type": "prelu", "activation": "", "shape": [null, 2], "weights": [[[0.5, 0.25]]]})";
  expect_near(outputs_of(keras(prelu, 2), {-1, -1, 3, -2}, 2), {-0.5, -0.25, 3, -0.5});
  const std::string norm = R"({"type": "batchnorm", "activation": "", "shape": [null, 1], "epsilon": 0.25,
                              "weights": [[3], [0.5], [1], [0.75]]})";
  expect_near(outputs_of(keras(norm), {2, -1}), {3.5, -5.5});
  const std::string plain = R"({"type": "batchnorm", "activation": "", "shape": [null, 1], "epsilon": 0.25,
                               "weights": [[1], [3.75]]})";
  expect_near(outputs_of(keras(plain), {2, -1}), {0.5, -1});
  const std::string elu = R"({"type": "activation", "activation": "elu", "shape": [null, 1], "weights": []})";
  expect_near(outputs_of(keras(elu), {2, -1}), {2, std::exp(-1) - 1});
}

TEST(RtNeural, GatesOfGruStandAsKerasHasThem) {
  // One unit; gates z, r, h.
  const std::string gru = R"({"type": "gru", "activation": "tanh", "shape": [null, null, 1],
                             "weights": [[[0.1, 0.2, 0.3]], [[0.4, 0.5, 0.6]], [[0.7, 0.8, 0.9], [1.0, 1.1, 1.2]]]})";
  double h = 0;
  std::vector<double> want;
  const std::vector<double> xs = {1, -2, 0.5};
  for (double x : xs) {
    const double z = logistic(0.1 * x + 0.7 + 0.4 * h + 1.0), r = logistic(0.2 * x + 0.8 + 0.5 * h + 1.1);
    const double n = std::tanh(0.3 * x + 0.9 + r * (0.6 * h + 1.2));
    want.push_back(h = z * h + (1 - z) * n);
  }
  expect_near(outputs_of(keras(gru), xs), want);
}

TEST(RtNeural, StateDictsAreModulesInOrder) {
  const std::string dict =
      R"({"rec.weight_ih_l0": [[0.1], [0.2], [0.3], [0.4]], "rec.weight_hh_l0": [[0.5], [0.6], [0.7], [0.8]],
                              "rec.bias_ih_l0": [0.1, 0.2, 0.3, 0.4], "rec.bias_hh_l0": [0.2, 0.1, 0, 0.1],
                              "lin.weight": [[2], [3]]})";
  double h = 0, c = 0;
  std::vector<double> want;
  const std::vector<double> xs = {1, -2, 0.5};
  for (double x : xs) {
    const double i = logistic(0.1 * x + 0.5 * h + 0.3), f = logistic(0.2 * x + 0.6 * h + 0.3);
    const double g = std::tanh(0.3 * x + 0.7 * h + 0.3), o = logistic(0.4 * x + 0.8 * h + 0.5);
    c = f * c + i * g;
    h = o * std::tanh(c);
    want.insert(want.end(), {2 * h, 3 * h});
  }
  expect_near(outputs_of(dict, xs), want);
}

void expect_refused(const std::string& text, const std::string& message) {
  const TempDir dir;
  const std::string file = dir.file("m.json");
  testing::write_text(file, text);
  EXPECT_EQ(error_of([&] { load_rtneural(file); }), fmt::format("rondo: {}: {}", file, message));
}

TEST(RtNeural, SaysWhatIsWrong) {
  auto dense = [](const std::string& weights) {
    return keras(R"({"type": "dense", "activation": "", "shape": [null, 2], "weights": [)" + weights + "]}");
  };
  expect_refused(dense("[[1, 2, 3]]"),
                 "layers[0]: weights[0]: numbers of shape [1,3] where [1,2] is expected");
  expect_refused(dense("[[1, \"2\"]]"), "layers[0]: weights[0][0][1]: string where a number is expected");
  expect_refused(dense("[[1, 1e300]]"), "layers[0]: weights[0][0][1]: 1e+300 is outside the range of f32");
  expect_refused(dense("[[1, 2], [3]]"), "layers[0]: weights[0][1]: 1 elements, those before have 2");
  expect_refused(dense(""), "layers[0]: weights: 0 arrays where 1 to 2 are expected");
  expect_refused(keras(""), "layers: is empty");
  expect_refused(keras(R"({"type": "conv2d", "activation": "", "weights": [], "shape": [1]})"),
                 "layers[0]: type: `conv2d` is not known");
  expect_refused(keras(R"({"type": "activation", "activation": "swish", "weights": [], "shape": [1]})"),
                 "layers[0]: activation: `swish` is not known");
  expect_refused(
      keras(R"({"type": "activation", "activation": "", "weights": [], "stride": [2]})"),
      "layers[0]: `stride` is not known here; known: type, activation, shape, weights, kernel_size, "
      "dilation, groups, epsilon");
  expect_refused(R"({"in_shape": [1], "layers": [], "in_skip": 1})", "in_skip: is not known");
  expect_refused(R"({"in_shape": [], "layers": []})", "in_shape: is empty");
  expect_refused(R"({"rnn.weight_ih_l0": [[1]], "rnn.weight_hh_l0": [[1]]})",
                 "rnn.weight_hh_l0: [1,1] is of no LSTM or GRU");
  expect_refused(R"({"a.weight": [[1], [2]], "b.weight": [[1]]})", "b.weight: takes 1 elements, 2 come");
  expect_refused(R"({"a.weight": [[1]], "a.gain": [1]})",
                 "a.gain: is no tensor of an LSTM, a GRU or a Linear that is known here");
  expect_refused("{}", "has no layers");
}

TEST(RtNeural, RefusesEveryTruncation) {
  const TempDir dir;
  const std::string file = dir.file("m.json");
  const std::string text =
      keras(R"({"type": "dense", "activation": "", "shape": [null, 1], "weights": [[[1]], [2]]})");
  for (size_t length = 0; length < text.size(); ++length) {
    testing::write_text(file, text.substr(0, length));
    EXPECT_TRUE(error_of([&] { load_rtneural(file); }).starts_with("rondo: ")) << length;
  }
}

}  // namespace
}  // namespace rondo
