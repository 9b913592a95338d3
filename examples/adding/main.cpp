// The adding problem: two numbers of a long sequence are marked; what is their sum? See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "examples/support/svg.h"

using namespace rondo;

namespace {

/// Any cell over pairs of a number and its mark, and a sum from its last state.
template <class Cell>
struct Adder : Model {
  Cell cell;
  Linear head;

  template <class... Options>
  explicit Adder(int64_t hidden, const Options&... options)
      : cell(*this, "cell", 2, hidden, options...), head(*this, "head", hidden, 1) {}

  Function loss() const {
    return Function("loss", *this, [&](Trace& t) {
      const Tensor pairs = t.input("pairs", {"T", "B", 2}), sums = t.input("sum", {"B", 1});
      const auto end = scan(cell.initial("B"), pairs, cell);
      t.output("loss", mse(head(end.h), sums));
    });
  }
};

/// Numbers in [0, 1); one is marked in the first half of each sequence, one in the second.
void fill(Program& program, Random& random) {
  const int64_t steps = program.dim("T"), batch = program.dim("B");
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(random.uniform() * static_cast<double>(n));
  };
  auto pairs = program.f32("pairs"), sums = program.f32("sum");
  for (size_t i = 0; i < pairs.size(); i += 2)
    pairs[i] = static_cast<float>(random.uniform()), pairs[i + 1] = 0;
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t first = below(steps / 2), second = steps / 2 + below(steps - steps / 2);
    sums[b] = 0;
    for (const int64_t t : {first, second}) {
      pairs[2 * (t * batch + b) + 1] = 1;
      sums[b] += pairs[2 * (t * batch + b)];
    }
  }
}

struct Settings {
  int64_t steps = 200, hidden = 48, batch = 32, updates = 4000, seed = 1;
  double rate = 5e-3;
};

/// Trains, and prints the mean squared error on new sequences now and then.
template <class Cell>
examples::Series train(const char* name, const Adder<Cell>& model, const Settings& s) {
  const Weights weights = model.init(s.seed);
  Program train = compile_training(model.loss(), Adam{.lr = s.rate, .clip_norm = 1}, weights);
  Program test = compile(model.loss(), weights);
  train.resize({{"T", s.steps}, {"B", s.batch}});
  test.resize({{"T", s.steps}, {"B", 1000}});
  const Schedule rate = schedule::linear(s.rate, 0, s.updates);
  Random random(s.seed), unseen(s.seed + 1);
  fill(test, unseen);
  examples::Series errors{name, {}};
  for (int64_t update = 1; update <= s.updates; ++update) {
    fill(train, random);
    train.set_scalar("lr", rate(update - 1));
    train.run();
    if (update % std::max<int64_t>(1, s.updates / 20) != 0 && update != s.updates) continue;
    test.run();
    fmt::print("{:18} update {:6}  error {:.6f}\n", name, update, test.f32("loss")[0]);
    errors.points.push_back({static_cast<double>(update), test.f32("loss")[0]});
  }
  return errors;
}

}  // namespace

int main(int argc, char** argv) try {
  Settings s;
  std::string svg = "adding.svg";
  CLI::App app("Trains an RNN and GRUs on the adding problem.");
  app.add_option("--steps", s.steps, "length of the sequences")
      ->check(CLI::Range(2, 100000))
      ->capture_default_str();
  app.add_option("--hidden", s.hidden, "size of the cells")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--batch", s.batch, "sequences an update")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--updates", s.updates, "of training")->check(CLI::Range(1, 1000000))->capture_default_str();
  app.add_option("--rate", s.rate, "learning rate at the start; falls to zero")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", s.seed, "of weights and sequences")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--svg", svg, "the plot")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  examples::LinePlot plot{"The adding problem", "update", "mean squared error", true, true, {}};
  plot.series = {train("RNN", Adder<Rnn>(s.hidden), s),
                 train("GRU, reset before", Adder<Gru>(s.hidden, Gru::Reset::before), s),
                 train("GRU, reset after", Adder<Gru>(s.hidden, Gru::Reset::after), s)};
  examples::draw({plot}).save(svg);
} catch (const std::exception& e) {
  fmt::print(stderr, "adding: {}\n", e.what());
  return 1;
}
