// Import of .nam files: the equations, and what is refused.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <rondo/rondo.h>
#include <cmath>

#include "tests/frontend/reference.h"
#include "tests/runtime/util.h"

namespace rondo {
namespace {

using testing::error_of;
using testing::TempDir;
using testing::write_text;

std::string nam_text(const std::string& config, const std::vector<double>& weights) {
  return fmt::format(
      R"({{"version": "0.5.4", "metadata": {{"name": "small", "gain": 0.5, "training": {{}}}}, )"
      R"("architecture": "LSTM", "config": {{{}}}, "weights": [{}], "sample_rate": 48000}})",
      config, fmt::join(weights, ", "));
}

const char* const kTwoByTwo = R"("input_size": 1, "hidden_size": 2, "num_layers": 2)";
constexpr size_t kTwoByTwoCount = 8 * 3 + 8 + 4 + 8 * 4 + 8 + 4 + 2 + 1;

/// The model by its equations, straight from the list of numbers.
class PlainNam {
 public:
  PlainNam(const std::vector<double>& w, size_t hidden, size_t layers) : hidden_(hidden), w_(w) {
    for (size_t l = 0, in = 1; l < layers; ++l, in = hidden) {
      layers_.push_back({at_, in, {}, {}});
      at_ += 4 * hidden * (in + hidden) + 4 * hidden;
      layers_.back().h.assign(w.begin() + at_, w.begin() + at_ + hidden);
      layers_.back().c.assign(w.begin() + at_ + hidden, w.begin() + at_ + 2 * hidden);
      at_ += 2 * hidden;
    }
  }

  double step(double sample) {
    std::vector<double> x{sample};
    for (Layer& layer : layers_) {
      std::vector<double> joined = x, gates;
      joined.insert(joined.end(), layer.h.begin(), layer.h.end());
      for (size_t g = 0; g < 4 * hidden_; ++g) {
        double sum = w_[layer.at + 4 * hidden_ * joined.size() + g];
        for (size_t k = 0; k < joined.size(); ++k) sum += w_[layer.at + g * joined.size() + k] * joined[k];
        gates.push_back(sum);
      }
      auto logistic = [](double v) { return 1 / (1 + std::exp(-v)); };
      for (size_t j = 0; j < hidden_; ++j) {
        const double i = logistic(gates[j]), f = logistic(gates[hidden_ + j]);
        const double g = std::tanh(gates[2 * hidden_ + j]), o = logistic(gates[3 * hidden_ + j]);
        layer.c[j] = f * layer.c[j] + i * g;
        layer.h[j] = o * std::tanh(layer.c[j]);
      }
      x = layer.h;
    }
    double y = w_[at_ + hidden_];
    for (size_t j = 0; j < hidden_; ++j) y += w_[at_ + j] * x[j];
    return y;
  }

 private:
  struct Layer {
    size_t at, in;
    std::vector<double> h, c;
  };
  size_t hidden_, at_ = 0;
  std::vector<double> w_;
  std::vector<Layer> layers_;
};

TEST(Nam, IsItsEquationsFromItsOwnStart) {
  const TempDir dir;
  const std::vector<double> w = test::numbers(kTwoByTwoCount, 3);
  write_text(dir.file("amp.nam"), nam_text(kTwoByTwo, w));
  const ImportedModel model = load_nam(dir.file("amp.nam"));
  EXPECT_EQ(model.metadata.at("sample_rate"), "48000");
  EXPECT_EQ(model.metadata.at("name"), "small");
  Program step = compile(model.function("step"), model.weights, {.dims = {{"B", 1}}});
  for (int pass = 0; pass < 2; ++pass) {  // a reset starts again where the file says
    PlainNam plain(w, 2, 2);
    for (double x : test::numbers(20, 4)) {
      step.f32("x")[0] = static_cast<float>(x);
      step.run();
      EXPECT_NEAR(step.f32("y")[0], plain.step(static_cast<float>(x)), 2e-6);
    }
    step.reset();
  }
}

void expect_refused(const std::string& text, const std::string& message) {
  const TempDir dir;
  const std::string file = dir.file("amp.nam");
  write_text(file, text);
  EXPECT_EQ(error_of([&] { load_nam(file); }), fmt::format("rondo: {}: {}", file, message));
}

TEST(Nam, RefusesWhatItDoesNotKnow) {
  const std::vector<double> w = test::numbers(kTwoByTwoCount, 3), shorter(w.begin(), w.end() - 1);
  std::string wavenet = nam_text(kTwoByTwo, w);
  wavenet.replace(wavenet.find("LSTM"), 4, "WaveNet");
  expect_refused(wavenet, "architecture: `WaveNet` is not supported; LSTM is");
  expect_refused(nam_text(kTwoByTwo, shorter), "weights: 82 numbers: head.b takes 1 after the first 82");
  std::vector<double> longer = w;
  longer.push_back(0);
  expect_refused(nam_text(kTwoByTwo, longer), "weights: 84 numbers: the model takes 83");
  expect_refused(nam_text(R"("input_size": 2, "hidden_size": 2, "num_layers": 2)", w),
                 "config: input_size: 2 is outside [1,1]");
  expect_refused(nam_text(R"("hidden_size": 18446744073709551615, "num_layers": 2)", w),
                 "config: hidden_size: 18446744073709551615 is outside [1,65536]");
  expect_refused(nam_text(R"("hidden_size": 2.5, "num_layers": 2)", w),
                 "config: hidden_size: number where a whole number is expected");
  expect_refused(nam_text(R"("hidden_size": 65536, "num_layers": 65536)", w),
                 "weights: 83 numbers: lstm0 takes 17180131328 after the first 0");
  expect_refused(nam_text(R"("hidden_size": 2, "num_layers": 2, "skip": true)", w),
                 "config: `skip` is not known here; known: input_size, hidden_size, num_layers, in_channels, "
                 "out_channels");
  expect_refused("[]", "array where an object is expected");
}

TEST(Nam, RefusesTruncations) {
  const TempDir dir;
  const std::string text = nam_text(kTwoByTwo, test::numbers(kTwoByTwoCount, 3)), file = dir.file("amp.nam");
  for (size_t length = 0; length < text.size(); length += 7) {
    write_text(file, text.substr(0, length));
    EXPECT_TRUE(error_of([&] { load_nam(file); }).starts_with("rondo: ")) << length;
  }
}

}  // namespace
}  // namespace rondo
