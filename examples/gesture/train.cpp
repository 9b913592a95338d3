// Trains the GRU on gestures. See README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "gesture_model.h"

using namespace rondo;

namespace {

/// The loss of the answer after the last reading, and whether it is right, [B].
Function loss_of(const Gesture& model) {
  return Function("loss", model, [&](Trace& t) {
    const Tensor gesture = t.input("gesture", i32, {"B"});
    const Tensor y = model.head(scan(model.initial("B"), t.input("x", {"T", "B", 3}), model.gru).h);
    t.output("loss", softmax_cross_entropy(y, gesture));
    t.output("right", select(equal(argmax(y), gesture), 1, 0));
  });
}

/// Recordings with seeds from `seed` on, as the firmware reads them.
void record(Program& program, uint32_t seed) {
  const auto rows = static_cast<size_t>(program.dim("B"));
  auto x = program.f32("x");  // [T,B,3]
  for (size_t b = 0; b < rows; ++b) {
    sensor hand;
    sensor_start(&hand, seed + static_cast<uint32_t>(b));
    program.i32("gesture")[b] = hand.gesture;
    for (size_t t = 0; t < kReadings; ++t) {
      int16_t reading[3];
      sensor_read(&hand, reading);
      for (size_t i = 0; i < 3; ++i) x[(t * rows + b) * 3 + i] = 0.001f * static_cast<float>(reading[i]);
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  constexpr int64_t kRows = 64, kHeldOut = 5000;
  std::string weights_file = "gesture.safetensors";
  int64_t updates = 4000;
  CLI::App app("Trains a GRU to name gestures.");
  app.add_option("--weights", weights_file, "where the weights go")->capture_default_str();
  app.add_option("--updates", updates, "each on 64 new recordings")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const Gesture model;
  const Weights weights = model.init(1);
  Program train = compile_training(loss_of(model), Adam{.clip_norm = 1}, weights);
  Program test = compile(loss_of(model), weights);
  train.resize({{"T", kReadings}, {"B", kRows}});
  test.resize({{"T", kReadings}, {"B", kHeldOut}});
  record(test, 1);
  const Schedule rate = schedule::cosine(1e-2, 0, updates);
  for (int64_t update = 0; update < updates; ++update) {
    record(train, static_cast<uint32_t>(1'000'000 + update * kRows));
    train.set_scalar("lr", rate(update));
    train.run();
  }
  test.run();
  double right = 0;
  for (const float r : test.f32("right")) right += r;
  fmt::print("{} parameters, {} recordings; of {} others {:.2f} % right\n", model.count(), updates * kRows,
             kHeldOut, 100 * right / kHeldOut);
  weights.save(weights_file);
} catch (const std::exception& e) {
  fmt::print(stderr, "gesture_train: {}\n", e.what());
  return 1;
}
