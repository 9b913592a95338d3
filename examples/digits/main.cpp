// Reads images of digits row by row, and names the digit at the end. See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "examples/support/idx.h"

using namespace rondo;
using examples::Digits;

namespace {

constexpr const char* kData =
    "a folder with MNIST's files images-idx3-ubyte and labels-idx1-ubyte (idx format)";

struct Reader : Model {
  int64_t columns;
  Lstm lstm;
  Linear head;

  Reader(int64_t columns, int64_t hidden)
      : columns(columns), lstm(*this, "lstm", columns, hidden), head(*this, "head", hidden, 10) {}

  /// rows [T,B,columns]: the logits [B,10] after the last row.
  Tensor logits(const Tensor& rows) const { return head(scan(lstm.initial("B"), rows, lstm).h); }

  /// Output "loss"; output "right" [B]: 1 where the likeliest digit is the one shown.
  Function loss() const {
    return Function("loss", *this, [&](Trace& t) {
      const Tensor rows = t.input("rows", {"T", "B", columns}), digit = t.input("digit", i32, {"B"});
      const Tensor y = logits(rows);
      t.output("loss", softmax_cross_entropy(y, digit));
      t.output("right", select(equal(argmax(y), digit), 1, 0));
    });
  }
};

/// Image i of the digits becomes column b of a batch, moved by so many pixels; ink lies in [0, 1].
void put(Program& program, int64_t b, const Digits& digits, int64_t i, int64_t down, int64_t right) {
  const int64_t batch = program.dim("B"), columns = digits.columns;
  auto x = program.f32("rows");  // [T,B,columns]
  for (int64_t row = 0; row < digits.rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      x[(row * batch + b) * columns + column] = digits.ink(i, row - down, column - right);
  program.i32("digit")[b] = digits.labels[i];
}

/// The part of the images first, first + 1 ... that are named rightly.
double accuracy(Program& program, const Digits& digits, int64_t first) {
  const int64_t count = digits.count - first;
  program.resize({{"T", digits.rows}, {"B", count}});
  for (int64_t i = 0; i < count; ++i) put(program, i, digits, first + i, 0, 0);
  program.run();
  double right = 0;
  for (const float r : program.f32("right")) right += r;
  return right / static_cast<double>(count);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string data;
  int64_t hidden = 128, batch = 64, epochs = 20, seed = 1;
  CLI::App app("Names digits whose images it reads row by row.");
  app.add_option("--data", data, kData);
  app.add_option("--hidden", hidden, "size of the LSTM")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--batch", batch, "images an update")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--epochs", epochs, "passes over the images")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seed", seed, "of weights and order")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (data.empty()) throw Error(fmt::format("--data is needed: {}", kData));

  const Digits digits = examples::read_digits(data);
  const int64_t training = digits.count * 4 / 5;  // the last fifth is held out
  const Reader model(digits.columns, hidden);
  const Weights weights = model.init(seed);
  Program train = compile_training(model.loss(), Adam{.clip_norm = 1}, weights);
  Program test = compile(model.loss(), weights);
  train.resize({{"T", digits.rows}, {"B", batch}});
  fmt::print("{} images of {} x {}, {} parameters\n", digits.count, digits.rows, digits.columns,
             model.count());

  Random random(seed);
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(random.uniform() * static_cast<double>(n));
  };
  const int64_t updates = std::max<int64_t>(1, training / batch);
  const Schedule rate = schedule::linear(3e-3, 0, epochs * updates);
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    double loss = 0;
    for (int64_t update = 0; update < updates; ++update) {
      for (int64_t b = 0; b < batch; ++b) put(train, b, digits, below(training), below(5) - 2, below(5) - 2);
      train.set_scalar("lr", rate(epoch * updates + update));
      train.run();
      loss += train.f32("loss")[0] / static_cast<double>(updates);
    }
    fmt::print("epoch {:3}  loss {:.4f}  held out {:.2f} % right\n", epoch + 1, loss,
               100 * accuracy(test, digits, training));
  }
} catch (const std::exception& e) {
  fmt::print(stderr, "digits: {}\n", e.what());
  return 1;
}
