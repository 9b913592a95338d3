// Trains the model on how people walk, before anyone in particular uses it. See README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <exception>
#include <vector>

#include "gait_model.h"
#include "walker.h"

using namespace rondo;

namespace {

/// T readings of each walker, and the one that follows each.
void record(Program& program, std::vector<walker>& walkers) {
  const auto steps = static_cast<size_t>(program.dim("T")), rows = walkers.size();
  auto x = program.f32("x"), target = program.f32("target");  // [T,B,1]
  for (size_t b = 0; b < rows; ++b) {
    float reading = walker_next(&walkers[b]);
    for (size_t t = 0; t < steps; ++t) {
      x[t * rows + b] = reading;
      target[t * rows + b] = reading = walker_next(&walkers[b]);
    }
  }
}

std::vector<walker> people(uint32_t seed, size_t count) {
  std::vector<walker> walkers(count);
  for (walker& w : walkers) walker_start(&w, seed++, 0);
  return walkers;
}

}  // namespace

int main(int argc, char** argv) try {
  constexpr int64_t kRows = 64, kSteps = 150;
  std::string weights_file = "gait.safetensors";
  int64_t updates = 3000;
  CLI::App app("Trains a GRU to foresee how people walk.");
  app.add_option("--weights", weights_file, "where the weights go")->capture_default_str();
  app.add_option("--updates", updates, "each on 3 s of 64 people")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const Gait model;
  const Weights weights = model.init(1);
  const Function loss = loss_function(model, kReading, kReading, mse);
  Program train = compile_training(loss, Adam{.clip_norm = 1}, weights);
  Program test = compile(loss, weights);
  for (Program* program : {&train, &test}) program->resize({{"T", kSteps}, {"B", kRows}});
  const Schedule rate = schedule::cosine(1e-2, 0, updates);
  for (int64_t update = 0; update < updates; ++update) {
    std::vector<walker> walkers = people(static_cast<uint32_t>(1'000'000 + update * kRows), kRows);
    record(train, walkers);
    train.reset();
    train.set_scalar("lr", rate(update));
    train.run();
  }
  std::vector<walker> others = people(1000, kRows);
  record(test, others);
  test.run();
  fmt::print("{} parameters; root mean square error for {} others: {:.4f} g\n", model.count(), kRows,
             std::sqrt(test.f32("loss")[0]));
  weights.save(weights_file);
} catch (const std::exception& e) {
  fmt::print(stderr, "gait_train: {}\n", e.what());
  return 1;
}
