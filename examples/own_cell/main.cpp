// Cells of one's own beside the built-in LSTM: each learns to hold the number that was marked last, streams,
// and is timed. Then recurrences a_t h + b_t, step by step and in chunks of time side by side. See README.md.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "examples/own_cell/cells.h"

namespace {

using namespace own_cell;

struct Settings {
  int64_t hidden = 32, batch = 32, steps = 50, updates = 1000, repeats = 21;
  std::string only;
};

/// Reads pairs (number, mark) and says after each the number that was marked last.
template <class Cell>
struct Holder : Model {
  Cell cell;
  Linear head;

  explicit Holder(int64_t hidden) : cell(*this, "cell", 2, hidden), head(*this, "head", hidden, 1) {}

  auto initial(Dim batch) const { return cell.initial(std::move(batch)); }
  auto step(typename Cell::State s, Tensor x) const {
    s = cell(s, x);
    return std::pair(s, head(s.h));
  }
};

const StepInput kPair{f32, {2}}, kNumber{f32, {1}};

/// Numbers in [0, 1), of which about one in eight is marked; the target is 0 before the first mark.
void fill(std::span<float> pairs, std::span<float> target, size_t batch, Random& random) {
  for (size_t i = 0; i < target.size(); ++i) {
    const float number = static_cast<float>(random.uniform());
    const bool marked = random.uniform() < 0.125;
    pairs[2 * i] = number;
    pairs[2 * i + 1] = marked;
    target[i] = marked ? number : i < batch ? 0 : target[i - batch];
  }
}

void fill(Program& program, Random& random) {
  fill(program.f32("x"), program.f32("target"), static_cast<size_t>(program.dim("B")), random);
}

/// A training step of `Holder<Cell>`.
template <class Cell>
Function training(const Holder<Cell>& model) {
  return training_function(loss_function(model, kPair, kNumber, mse), Adam{.lr = 1e-2, .clip_norm = 1});
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

/// Whether T calls of `step` say to the bit what one call of `run` over T steps says.
template <class Cell>
bool streams(const Holder<Cell>& model, const Weights& weights, std::span<const float> x) {
  Program step = compile(step_function(model, kPair), weights);
  Program run = compile(run_function(model, kPair), weights);
  step.resize({{"B", 1}});
  run.resize({{"T", static_cast<int64_t>(x.size() / 2)}, {"B", 1}});
  run.set("x", x);
  run.run();
  for (size_t t = 0; t < x.size() / 2; ++t) {
    step.set("x", x.subspan(2 * t, 2));
    step.run();
    if (step.f32("y")[0] != run.f32("y")[t]) return false;
  }
  return true;
}

/// One cell, trained; with its training step for timing.
struct Trained {
  std::string name;
  double loss = 0;
  bool streams = false;
  std::shared_ptr<Program> program;
  std::vector<double> times;
};

template <class Cell>
Trained train(const std::string& name, const Settings& settings) {
  Holder<Cell> model(settings.hidden);
  const Weights weights = model.init(1);
  Trained result{name, 0, false, std::make_shared<Program>(compile(training(model), weights)), {}};
  Program& program = *result.program;
  program.resize({{"T", settings.steps}, {"B", settings.batch}});
  Random random(7);
  const int64_t last = settings.updates - settings.updates / 20;  // the loss is the mean of those after
  for (int64_t update = 1; update <= settings.updates; ++update) {
    fill(program, random);
    program.reset();
    program.f32("lr")[0] =
        1e-2f * (1 - static_cast<float>(update) / static_cast<float>(settings.updates + 1));
    program.run();
    if (update > last) result.loss += program.f32("loss")[0] / static_cast<double>(settings.updates - last);
  }
  std::vector<float> x(static_cast<size_t>(2 * settings.steps)), target(x.size() / 2);
  fill(x, target, 1, random);
  result.streams = streams(model, weights, x);
  return result;
}

void compare(const Settings& settings) {
  std::vector<Trained> cells;
  auto add = [&]<class Cell>(const std::string& name) {
    if (settings.only.empty() || name == settings.only || cells.empty())
      cells.push_back(train<Cell>(name, settings));
  };
  add.operator()<Lstm>("LSTM, built in");
  add.operator()<MinGru>("minGRU");
  add.operator()<Sru>("SRU");
  add.operator()<LinearSru>("SRU, linear");
  add.operator()<PeepholeLstm>("peephole LSTM");
  add.operator()<LayerNormLstm>("layer-norm LSTM");
  add.operator()<Follower>("follower");
  for (int64_t r = 0; r < settings.repeats; ++r)  // in turn, so that all meet the same machine
    for (Trained& c : cells) c.times.push_back(seconds([&] { c.program->run(); }));
  fmt::print("{:16} {:>10} {:>12} {:>16} {:>14}\n", "cell", "loss", "us a step", "x LSTM's speed",
             "step == run");
  for (const Trained& c : cells)
    fmt::print("{:16} {:>10.6f} {:>12.1f} {:>16.2f} {:>14}\n", c.name, c.loss, median(c.times) * 1e6,
               median(cells[0].times) / median(c.times), c.streams ? "yes" : "NO");
}

/// One training step with linear-scan against one without.
template <class Cell>
void compare_linear(const std::string& name, int64_t hidden, int64_t batch, int64_t steps, int64_t repeats) {
  const Holder<Cell> model(hidden);
  const Function plain = training(model);
  Function chunks = plain;
  chunks.pipeline += passes::kLinear;
  Program with = compile(chunks, model.init(1)), without = compile(plain, model.init(1));
  for (Program* p : {&with, &without}) {
    p->resize({{"T", steps}, {"B", batch}});
    Random random(7);
    fill(*p, random);
  }
  std::vector<double> fast, slow;
  for (int64_t r = 0; r < repeats; ++r) {
    slow.push_back(seconds([&] { without.run(); }));
    fast.push_back(seconds([&] { with.run(); }));
  }
  fmt::print("{:16} {:>4} {:>4} {:>12.1f} {:>12.1f} {:>8.2f}\n", name, hidden, batch, median(slow) * 1e6,
             median(fast) * 1e6, median(slow) / median(fast));
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Trains cells of one's own to hold a marked number, streams and times them"};
  app.add_option("--hidden", settings.hidden)->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--batch", settings.batch)->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--steps", settings.steps)->check(CLI::Range(2, 1000000))->capture_default_str();
  app.add_option("--updates", settings.updates)->check(CLI::Range(0, 1000000))->capture_default_str();
  app.add_option("--repeats", settings.repeats, "timed training steps")->check(CLI::Range(1, 100000));
  app.add_option("--cell", settings.only, "this one only, beside the built-in LSTM");
  CLI11_PARSE(app, argc, argv);
  try {
    compare(settings);
    fmt::print(
        "\none training step of {} steps, us: a_t h + b_t step by step, and 4 chunks of time side by side\n",
        20 * settings.steps);
    fmt::print("{:16} {:>4} {:>4} {:>12} {:>12} {:>8}\n", "cell", "H", "B", "by steps", "by chunks", "speed");
    for (int64_t hidden : {1, 4, 16, 64}) {
      compare_linear<MinGru>("minGRU", hidden, 1, 20 * settings.steps, settings.repeats);
      compare_linear<LinearSru>("SRU, linear", hidden, 1, 20 * settings.steps, settings.repeats);
    }
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
