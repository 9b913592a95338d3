// A trained guitar amplifier against samples computed in f64: also how far f32 drifts over half a second.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>
#include <cstring>

#include "tests/cases.h"
#include "tests/runtime/util.h"

namespace rondo {
namespace {

template <class T>
std::vector<T> read_numbers(const std::filesystem::path& path) {
  const std::string bytes = testing::read_text(path.string());
  std::vector<T> numbers(bytes.size() / sizeof(T));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(T));
  return numbers;
}

/// The largest difference between what the model makes of the input and what is expected.
double largest_difference(const std::filesystem::path& folder, const std::string& input,
                          const std::string& expected_name) {
  const auto x = read_numbers<float>(folder / "io" / input);
  const auto expected = read_numbers<double>(folder / "io" / expected_name);
  EXPECT_EQ(x.size(), expected.size());
  const ImportedModel model = load_nam((folder / "models/lstm.nam").string());
  EXPECT_EQ(model.metadata.at("sample_rate"), "48000");

  Program run = compile(model.function("run"), model.weights, {.dims = {{"B", 1}}});
  run.resize({{"T", static_cast<int64_t>(x.size())}});
  run.set("x", x);
  run.run();
  Program step = compile(model.function("step"), model.weights, {.dims = {{"B", 1}}});
  const std::span<const float> ys = run.f32("y");
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    step.f32("x")[0] = x[i];
    step.run();
    EXPECT_EQ(step.f32("y")[0], ys[i]) << i;
    largest = std::max(largest, std::abs(ys[i] - expected[i]));
  }
  return largest;
}

TEST(Nam, AgreesOnNoise) {
  const auto folder = testing::case_path("nam");
  RONDO_NEED_CASE(folder);
  EXPECT_LE(largest_difference(folder, "input_noise_4000.f32", "lstm.noise_4000.expected.f64"), 1e-6);
}

TEST(Nam, DoesNotDriftOverSpeech) {
  const auto folder = testing::case_path("nam");
  RONDO_NEED_CASE(folder);
  EXPECT_LE(largest_difference(folder, "input_speech_24000.f32", "lstm.speech_24000.expected.f64"), 1e-6);
}

}  // namespace
}  // namespace rondo
