// An output-recurrent net in two modes: taught by true outputs, and running on its own. See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>

using namespace rondo;

namespace {

constexpr int64_t kIn = 4, kOut = 16;

struct Net : Model {
  OutputRnn net;
  explicit Net(int64_t hidden) : net(*this, "net", kIn, hidden, kOut) {}
};

enum class Mode { taught, free };

/// Inputs "x" [T,B,4] and "target" [T,B,16]; output "loss": the mean square of what is wrong.
Function loss_of(const Net& model, Mode mode) {
  return Function("loss", model, [&](Trace& t) {
    const Tensor x = t.input("x", {"T", "B", kIn}), target = t.input("target", {"T", "B", kOut});
    const OverTime<OutputRnn> free{model.net};
    const Tensor o =
        mode == Mode::taught ? teacher_forced(model.net, x, target) : free(free.initial("B"), x).second;
    t.output("loss", mse(o, target));
  });
}

/// What is to be imitated: eight damped oscillators, each driven by the inputs and by what its neighbour did.
class Plant {
 public:
  explicit Plant(uint64_t seed) : random_(seed) {
    Random fixed(7);
    for (double& w : drive_) w = 0.5 * fixed.normal();
  }

  /// Fills x and target of a program with new signals.
  void fill(Program& program) {
    const int64_t steps = program.dim("T"), rows = program.dim("B");
    auto x = program.f32("x"), target = program.f32("target");
    for (int64_t b = 0; b < rows; ++b) {
      double y[kOut] = {};
      for (int64_t t = 0; t < steps; ++t) {
        float* in = &x[(t * rows + b) * kIn];
        for (int64_t i = 0; i < kIn; ++i) in[i] = static_cast<float>(random_.normal());
        step(y, in);
        for (int64_t k = 0; k < kOut; ++k) target[(t * rows + b) * kOut + k] = static_cast<float>(y[k]);
      }
    }
  }

 private:
  void step(double* y, const float* x) const {
    double next[kOut];
    for (int64_t k = 0; k < kOut; k += 2) {
      const double turn = 0.2 + 0.1 * static_cast<double>(k), other = y[(k + 3) % kOut];
      double push = 0.3 * std::tanh(2 * other);
      for (int64_t i = 0; i < kIn; ++i) push += drive_[k * kIn / 2 + i] * x[i];
      next[k] = 0.9 * (std::cos(turn) * y[k] - std::sin(turn) * y[k + 1]) + 0.3 * push;
      next[k + 1] = 0.9 * (std::sin(turn) * y[k] + std::cos(turn) * y[k + 1]);
    }
    std::copy(next, next + kOut, y);
  }

  Random random_;
  double drive_[kOut / 2 * kIn];
};

/// The loss of new signals, in a mode.
double test(const Net& model, const Weights& weights, Mode mode, int64_t steps) {
  Program program = compile(loss_of(model, mode), weights);
  program.resize({{"T", steps}, {"B", 64}});
  Plant(99).fill(program);
  program.run();
  return program.f32("loss")[0];
}

}  // namespace

int main(int argc, char** argv) try {
  int64_t hidden = 128, steps = 1600, batch = 1, updates = 1000, seed = 1;
  CLI::App app("Trains an output-recurrent net with a teacher and without.");
  app.add_option("--hidden", hidden, "size of h")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--steps", steps, "of a signal")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--batch", batch, "signals an update")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--updates", updates, "training steps of each mode")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--seed", seed, "of weights and signals")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const Net model(hidden);
  fmt::print("{} parameters, {} signals of {} steps an update\n", model.count(), batch, steps);
  fmt::print("trained       an update    loss taught    loss free\n");
  double milliseconds[2];
  for (const Mode mode : {Mode::taught, Mode::free}) {
    const Weights weights = model.init(seed);
    Program train = compile_training(loss_of(model, mode), Adam{.clip_norm = 1}, weights);
    train.resize({{"T", steps}, {"B", batch}});
    Plant plant(seed);
    std::vector<double> spent;
    for (int64_t update = 0; update < updates; ++update) {
      plant.fill(train);
      train.f32("lr")[0] =
          static_cast<float>(3e-3 * (1 - static_cast<double>(update) / static_cast<double>(updates)));
      const auto start = std::chrono::steady_clock::now();
      train.run();
      const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
      spent.push_back(time.count());
    }
    double& each = milliseconds[mode == Mode::free];
    std::ranges::nth_element(spent, spent.begin() + updates / 2);
    each = spent[updates / 2];  // the median
    fmt::print("{:11} {:8.3f} ms {:14.6f} {:12.6f}\n", mode == Mode::taught ? "taught" : "free running", each,
               test(model, weights, Mode::taught, steps), test(model, weights, Mode::free, steps));
    std::fflush(stdout);
  }
  fmt::print("a taught update is {:.1f} times as fast\n", milliseconds[1] / milliseconds[0]);
} catch (const std::exception& e) {
  fmt::print(stderr, "teacher: {}\n", e.what());
  return 1;
}
