// Exploding and vanishing gradients, and what helps against each. See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <exception>
#include <map>

#include "examples/support/svg.h"

using namespace rondo;
using examples::LinePlot;
using examples::Series;

namespace {

constexpr int64_t kHidden = 32, kBatch = 16;

/// Reads numbers and tells, at their end, the first.
template <class Cell>
struct Recall : Model {
  Cell cell;
  Linear head{*this, "head", kHidden, 1};

  template <class... Options>
  explicit Recall(const Options&... options) : cell(*this, "cell", 1, kHidden, options...) {}

  /// To each state, once it is computed, zeros are added that are inputs: e.0 [T,B,H] to its first tensor,
  /// and so on. The gradient of the loss by them is its gradient by the states.
  Function loss() const {
    return Function("loss", *this, [&](Trace& t) {
      const auto start = cell.initial("B");
      std::vector<Tensor> zeros;
      for (const std::string& name : added_zeros()) zeros.push_back(t.input(name, {"T", "B", kHidden}));
      const Tensor x = t.input("x", {"T", "B", 1}), target = t.input("target", {"B", 1});
      const auto end = scan(start, std::pair(x, zeros), [&](const auto& state, const auto& now) {
        std::vector<Tensor> next = tensors_of(cell(state, now.first));
        for (size_t i = 0; i < next.size(); ++i) next[i] = next[i] + now.second[i];
        return with_tensors(state, next);
      });
      t.output("loss", mse(head(end.h), target));
    });
  }
  static std::vector<std::string> added_zeros() {
    return std::is_same_v<Cell, Lstm> ? std::vector<std::string>{"e.0", "e.1"}
                                      : std::vector<std::string>{"e.0"};
  }
};

/// Sequences of random numbers in (-1, 1). Their variance is 1/3: the loss of one who knows nothing.
void fill(Program& program, int64_t steps, Random& random) {
  program.resize({{"T", steps}, {"B", kBatch}});
  auto x = program.f32("x"), target = program.f32("target");
  for (float& v : x) v = static_cast<float>(2 * random.uniform() - 1);
  std::copy_n(x.begin(), kBatch, target.begin());
}

/// The norm of dL/d(state at step T - k) for each distance k to the loss, as a part of the first of them.
template <class Cell>
Series gradient_norms(std::string name, const Recall<Cell>& model, const Weights& weights, int64_t distance) {
  Program program = compile(gradient(model.loss(), {.wrt = model.added_zeros()}), weights);
  Random random(3);
  fill(program, distance + 1, random);
  program.run();
  Series norms{std::move(name), {}};
  for (int64_t k = 0; k <= distance; ++k) {
    double squares = 0;
    for (const std::string& zeros : model.added_zeros())
      for (const float g :
           program.f32("d_" + zeros).subspan((distance - k) * kBatch * kHidden, kBatch * kHidden))
        squares += double{g} * g;
    norms.points.push_back({static_cast<double>(k), std::sqrt(squares)});
  }
  const double first = norms.points[0].y;
  for (auto& point : norms.points) point.y /= first;
  return norms;
}

/// Trains on sequences of `shortest` to `longest` numbers. The loss after each update.
template <class Cell, class Rule>
Series train(std::string name, const Recall<Cell>& model, const Rule& rule, const Weights& weights,
             int64_t shortest, int64_t longest, int updates) {
  Program program = compile_training(model.loss(), rule, weights);
  Random random(1);
  Series losses{std::move(name), {}};
  for (int update = 0; update < updates; ++update) {
    fill(program, shortest + static_cast<int64_t>(random.uniform() * (longest - shortest + 1)), random);
    program.run();
    losses.points.push_back({static_cast<double>(update), program.f32("loss")[0]});
  }
  return losses;
}

/// The mean loss over 50 batches of sequences of the given length.
template <class Cell>
double loss_at(int64_t steps, const Recall<Cell>& model, const Weights& weights) {
  Program program = compile(model.loss(), weights);
  Random random(2);
  double total = 0;
  for (int i = 0; i < 50; ++i) {
    fill(program, steps, random);
    program.run();
    total += program.f32("loss")[0] / 50;
  }
  return total;
}

/// W is lambda times an orthogonal matrix: all its eigenvalues have the absolute value lambda.
CellOptions with_eigenvalues(double lambda) {
  CellOptions options;
  options.hidden_init = [=](Random& random, const std::vector<int64_t>& shape, std::span<double> out) {
    init::orthogonal()(random, shape, out);
    for (double& w : out) w *= lambda;
  };
  return options;
}

void print(const LinePlot& plot, const std::vector<int64_t>& rows) {
  fmt::print("\n{}\n{:>9}", plot.title, plot.x_label);
  for (const Series& s : plot.series) fmt::print("{:>13}", s.name);
  for (const int64_t row : rows) {
    fmt::print("\n{:9}", row);
    for (const Series& s : plot.series) fmt::print("{:>13.2g}", s.points[row].y);
  }
  fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) try {
  int64_t distance = 100, updates = 6000;
  std::string svg = "gradients.svg";
  CLI::App app("Measures gradients through time: of an RNN, an LSTM and a GRU.");
  app.add_option("--distance", distance, "the longest, in steps")
      ->check(CLI::Range(10, 10000))
      ->capture_default_str();
  app.add_option("--updates", updates, "of training, before the gates are measured")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app.add_option("--svg", svg, "the plots")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const std::vector<int64_t> rows = {0, 1, distance / 10, distance / 2, distance};

  LinePlot eigen{"RNN at the start: |dL/dh|, by the eigenvalues of W", "distance", "", true, true, {}};
  const std::map<std::string, Activation> activations = {{"h = a", [](Tensor a) { return a; }},
                                                         {"tanh a", rondo::tanh}};
  for (const auto& [name, activation] : activations)
    for (const double lambda : {0.8, 1.0, 1.2}) {
      const Recall<Rnn> model(with_eigenvalues(lambda), activation);
      eigen.series.push_back(
          gradient_norms(fmt::format("{}, {:.1f}", name, lambda), model, model.init(1), distance));
    }
  print(eigen, rows);

  LinePlot clipping{"Eigenvalues 1.1, h = a: the loss", "update", "", true, false, {}};
  for (const double norm : {0, 1}) {
    const Recall<Rnn> model(with_eigenvalues(1.1), activations.at("h = a"));
    clipping.series.push_back(train(norm == 0 ? "as it is" : "clipped to 1", model,
                                    Sgd{.lr = 0.01, .clip_norm = norm}, model.init(1), 30, 30, 1000));
  }
  print(clipping, {0, 1, 2, 10, 100, 500, 999});

  LinePlot gates{"Trained: |dL/dh|, of an LSTM |dL/d(h,c)|", "distance", "", true, true, {}};
  std::string errors;
  const auto train_and_measure = [&](const std::string& name, const auto& model) {
    const Weights weights = model.init(1);
    train(name, model, Adam{.lr = 3e-3, .clip_norm = 1}, weights, 1, distance, static_cast<int>(updates));
    gates.series.push_back(gradient_norms(name, model, weights, distance));
    errors += fmt::format("{:>13.2g}", loss_at(distance, model, weights));
  };
  train_and_measure("RNN", Recall<Rnn>());
  train_and_measure("LSTM", Recall<Lstm>());
  train_and_measure("GRU", Recall<Gru>());
  print(gates, rows);
  fmt::print("     loss{}\n", errors);

  examples::draw({eigen, clipping, gates}).save(svg);
} catch (const std::exception& e) {
  fmt::print(stderr, "gradients: {}\n", e.what());
  return 1;
}
