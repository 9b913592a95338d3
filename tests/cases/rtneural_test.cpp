// Models that RTNeural ships, with the outputs of Keras and PyTorch.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>
#include <fstream>

#include "tests/cases.h"
#include "tests/runtime/util.h"

namespace rondo {
namespace {

namespace fs = std::filesystem;

std::vector<double> read_csv(const fs::path& path) {
  std::ifstream file(path);
  std::vector<double> numbers;
  for (double v; file >> v;) numbers.push_back(v);
  return numbers;
}

/// The output of run over a sequence, which step gives as well.
std::vector<float> outputs_of(const fs::path& file, const std::vector<double>& xs) {
  const ImportedModel model = load_rtneural(file.string());
  Program run = compile(model.function("run"), model.weights, {.dims = {{"B", 1}}});
  run.resize({{"T", static_cast<int64_t>(xs.size())}});
  run.set("x", std::vector<float>(xs.begin(), xs.end()));
  run.run();
  const std::span<const float> ys = run.f32("y");
  Program step = compile(model.function("step"), model.weights, {.dims = {{"B", 1}}});
  for (size_t i = 0; i < xs.size(); ++i) {
    step.f32("x")[0] = static_cast<float>(xs[i]);
    step.run();
    EXPECT_EQ(step.f32("y")[0], ys[i]) << i;
  }
  return {ys.begin(), ys.end()};
}

/// The outputs end with those that are expected: a convolution of Keras starts where its kernel has filled.
void expect_outputs(const std::string& name, double tolerance) {
  const fs::path root = testing::case_path("rtneural");
  RONDO_NEED_CASE(root);
  const std::vector<double> xs = read_csv(root / "test_data" / (name + "_x_python.csv"));
  const std::vector<double> expected = read_csv(root / "test_data" / (name + "_y_python.csv"));
  const std::vector<float> ys = outputs_of(root / "models" / (name + ".json"), xs);
  ASSERT_GT(expected.size(), 0u);
  ASSERT_LE(expected.size(), ys.size());
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i)
    largest = std::max(largest, std::abs(ys[ys.size() - expected.size() + i] - expected[i]));
  EXPECT_LE(largest, tolerance);
}

class RtNeural : public ::testing::TestWithParam<std::pair<const char*, double>> {};

TEST_P(RtNeural, AgreesWithItsSource) { expect_outputs(GetParam().first, GetParam().second); }

// RTNeural's own thresholds.
INSTANTIATE_TEST_SUITE_P(Models, RtNeural,
                         ::testing::Values(std::pair("lstm", 1e-6), std::pair("lstm_1d", 1e-6),
                                           std::pair("gru", 5e-6), std::pair("gru_1d", 5e-6),
                                           std::pair("lstm_torch", 1e-6), std::pair("gru_torch", 1e-6),
                                           std::pair("dense", 1e-6), std::pair("conv_stateless", 1e-6)),
                         [](const auto& info) { return std::string(info.param.first); });

TEST(RtNeuralCases, RunsConvolutionsStepByStep) {
  const fs::path root = testing::case_path("rtneural");
  RONDO_NEED_CASE(root);
  for (float y : outputs_of(root / "models/full_model.json", read_csv(root / "test_data/gru_x_python.csv")))
    EXPECT_TRUE(std::isfinite(y));
}

TEST(RtNeuralCases, RefusesShapesThatDoNotFit) {
  const fs::path root = testing::case_path("rtneural");
  RONDO_NEED_CASE(root);
  const std::string file = (root / "models/bad_lstm.json").string();
  EXPECT_EQ(testing::error_of([&] { load_rtneural(file); }),
            "rondo: " + file + ": layers[0]: weights[0]: numbers of shape [1,80] where [1,64] is expected");
}

}  // namespace
}  // namespace rondo
