// ONNX models that others wrote, with their inputs and outputs.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <rondo/rondo.h>
#include <algorithm>
#include <cmath>
#include <fstream>

#include "frontend/arrays.h"
#include "tests/cases.h"
#include "tests/import/onnx_files.h"
#include "tests/runtime/util.h"

namespace rondo {
namespace {

namespace fs = std::filesystem;
using Arrays = std::vector<std::pair<std::string, ir::Array>>;

/// The tensors input_0.pb, input_1.pb ... of a case; empty where one is no tensor.
Arrays tensors_in(const fs::path& folder, const char* kind) {
  Arrays arrays;
  for (int i = 0;; ++i) {
    std::ifstream file(folder / "test_data_set_0" / fmt::format("{}_{}.pb", kind, i), std::ios::binary);
    if (!file) return arrays;
    ::onnx::TensorProto tensor;
    if (!tensor.ParseFromIstream(&file)) return {};
    arrays.emplace_back(tensor.name(), testing::array_of(tensor));
  }
}

void set_input(Program& program, const std::string& name, const ir::Array& array) {
  if (array.dtype == DType::i32)
    return program.set(name, std::vector<int32_t>(array.data.begin(), array.data.end()));
  program.set(name, std::vector<float>(array.data.begin(), array.data.end()));
}

/// The largest |got - expected| - relative |expected| over all outputs of the case.
double error_of_case(const fs::path& folder, double relative) {
  const Arrays inputs = tensors_in(folder, "input"), expected = tensors_in(folder, "output");
  OnnxOptions options;
  for (const auto& [name, array] : inputs)  // numbers of steps, and conditions
    if (array.shape.empty() && !is_float(array.dtype)) options.values[name] = array.data[0];
  const ImportedModel model = load_onnx((folder / "model.onnx").string(), options);
  Program run = compile(model.function("run"), model.weights);
  for (const auto& [name, array] : inputs)
    if (!options.values.contains(name)) set_input(run, name, array);
  run.run();
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(expected.size(), run.signature().outputs.size());
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const ir::Array got = array_of(run.output(i)), &want = expected[i].second;
    EXPECT_EQ(got.shape, want.shape) << expected[i].first;
    if (got.shape != want.shape) continue;
    for (int64_t k = 0; k < want.count(); ++k) {
      const double error = std::abs(got.data[k] - want.data[k]) - relative * std::abs(want.data[k]);
      worst = std::isnan(error) ? INFINITY : std::max(worst, error);
    }
  }
  return worst;
}

std::vector<fs::path> folders_in(const fs::path& root) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(root))
    if (entry.is_directory()) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

TEST(OnnxCases, RecurrentOpsWithEveryAttribute) {
  const fs::path root = testing::case_path("onnxruntime-optests/cases");
  RONDO_NEED_CASE(root);
  int accepted = 0, refused = 0;
  for (const fs::path& folder : folders_in(root)) {
    SCOPED_TRACE(folder.filename().string());
    if (folder.filename().string().starts_with("expect_failure")) {
      EXPECT_NE(testing::error_of([&] { error_of_case(folder, 0); }), "");
      ++refused;
      continue;
    }
    ++accepted;
    try {
      EXPECT_LE(error_of_case(folder, 0), 1e-4);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 0);
}

TEST(OnnxCases, NodeTests) {
  const fs::path root = testing::case_path("onnx-node");
  RONDO_NEED_CASE(root);
  int accepted = 0;
  for (const fs::path& folder : folders_in(root)) {
    const std::string name = folder.filename().string();
    SCOPED_TRACE(name);
    if (name.find("_seq") != std::string::npos && name.starts_with("test_loop")) {  // sequences of tensors
      EXPECT_TRUE(
          testing::error_of([&] { load_onnx((folder / "model.onnx").string()); }).starts_with("rondo: "));
      continue;
    }
    ++accepted;
    try {
      EXPECT_LE(error_of_case(folder, 1e-5), 1e-6);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
  EXPECT_GT(accepted, 0);
}

/// A chirp whose loudness changes, in [-1, 1].
std::vector<float> chirp(int64_t count, int64_t from) {
  std::vector<float> samples;
  for (int64_t i = from; i < from + count; ++i) {
    const double t = static_cast<double>(i) / 16000;
    samples.push_back(
        static_cast<float>(0.5 * (1 + std::sin(40 * t)) * std::sin(2 * M_PI * (200 + 2000 * t) * t)));
  }
  return samples;
}

// A voice detector: an If on the rate of the samples, a Fourier transform and layers as convolutions, an LSTM
// made of single ops. The probabilities are those of ONNX Runtime 1.32 for the same samples.
TEST(OnnxCases, VoiceDetectorStreams) {
  const fs::path file = testing::case_path("silero-vad/silero_vad_op18_ifless.onnx");
  RONDO_NEED_CASE(file);
  const ImportedModel model =
      load_onnx(file.string(),
                {.dims = {{"sequence", 576}}, .values = {{"sr", 16000}}, .state = {{"state", "stateN"}}});
  Program step = compile(model.function("run"), model.weights, {.dims = {{"batch", 1}}});
  const double expected[] = {0.0625887, 0.0014637, 0.0029364, 0.0031008,
                             0.0037716, 0.0025827, 0.0059687, 0.0052556};
  for (int64_t block = 0; block < 8; ++block) {
    step.set("input", chirp(576, 512 * block));
    step.run();
    EXPECT_NEAR(step.f32("output")[0], expected[block], 2e-6) << block;
  }
}

}  // namespace
}  // namespace rondo
