// Sees a digit's image and spells the digit, letter by letter. See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <exception>

#include "examples/support/idx.h"

using namespace rondo;
using examples::Digits;

namespace {

constexpr const char* kData =
    "a folder with MNIST's files images-idx3-ubyte and labels-idx1-ubyte (idx format)";
constexpr std::string_view kWords[] = {"zero", "one", "two",   "three", "four",
                                       "five", "six", "seven", "eight", "nine"};
constexpr std::string_view kLetters = "efghinorstuvwxz";
constexpr int32_t kEnd = static_cast<int32_t>(kLetters.size());
constexpr int64_t kMost = 6;  // letters of a word, and its end

/// One vector, the image, starts the sequence.
struct Speller : SequenceWriter {
  int64_t pixels;
  Linear look;

  Speller(int64_t pixels, int64_t hidden)
      : pixels(pixels), look(*this, "look", pixels, hidden, true, init::normal(std::sqrt(2. / pixels))) {
    decoder = Decoder(*this, "decoder", {.symbols = kEnd + 1, .end = kEnd, .embedding = 16}, hidden, 0,
                      [](Model& m, const std::string& name, int64_t in) { return Gru(m, name, in, 64); });
  }

  Start start(Trace& t) const override {
    const Tensor image = t.input("image", {"B", pixels});
    return {decoder.start(dropout(relu(look(image)), 0.3))};
  }
};

/// Image i of the digits becomes row b of a batch, moved by so many pixels; ink lies in [0, 1].
void put(Program& program, int64_t b, const Digits& digits, int64_t i, int64_t down = 0, int64_t right = 0) {
  const int64_t rows = digits.rows, columns = digits.columns;
  auto row = program.f32("image").subspan(b * rows * columns, rows * columns);
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < columns; ++x) row[y * columns + x] = digits.ink(i, y - down, x - right);
}

/// The word of a digit becomes the target of row b.
void put_word(Program& program, int64_t b, int64_t digit) {
  const int64_t batch = program.dim("B");
  for (size_t t = 0; t < kMost; ++t) {
    const std::string_view word = kWords[digit];
    program.i32("target")[t * batch + b] =
        t < word.size() ? static_cast<int32_t>(kLetters.find(word[t])) : kEnd;
  }
}

std::string text_of(std::span<const int32_t> ids, int64_t first, int64_t stride, int64_t length) {
  std::string text;
  for (int64_t n = 0; n < length; ++n) text += kLetters[static_cast<size_t>(ids[first + n * stride])];
  return text;
}

struct Result {
  double exact;      // the part of the images that are spelt rightly to the last letter
  int64_t doubtful;  // the image whose word is least likely
};

/// Spells the images first, first + 1 ... in one call.
Result test(Program& write, const Digits& digits, int64_t first) {
  const int64_t count = digits.count - first;
  write.resize({{"B", count}, {"N", kMost}});
  for (int64_t i = 0; i < count; ++i) put(write, i, digits, first + i);
  write.run();
  int64_t right = 0;
  for (int64_t i = 0; i < count; ++i)
    right += text_of(write.i32("ids"), i, count, write.i32("lengths")[i]) == kWords[digits.labels[first + i]];
  const auto score = write.f32("score");
  return {static_cast<double>(right) / static_cast<double>(count),
          first + std::ranges::min_element(score) - score.begin()};
}

/// The image, and beside it what is written: greedy, sampled, and the best of a beam.
void show(Program& write, Program& beam, const Digits& digits, int64_t image, int64_t width) {
  std::vector<std::string> lines;
  auto add = [&](const char* how, double log_p, const std::string& text) {
    lines.push_back(fmt::format("{:8} {:6.2f} %  {}", how, 100 * std::exp(log_p), text));
  };
  for (Program* program : {&write, &beam}) {
    program->resize({{"B", 1}, {"N", kMost}});
    put(*program, 0, digits, image);
  }
  for (const float temperature : {0.f, 1.f}) {
    write.f32("temperature")[0] = temperature;
    write.run();
    add(temperature == 0 ? "greedy" : "sampled", write.f32("score")[0],
        text_of(write.i32("ids"), 0, 1, write.i32("lengths")[0]));
  }
  beam.run();
  for (int64_t k = 0; k < width; ++k)
    add(k == 0 ? "beam" : "", beam.f32("scores")[k],
        text_of(beam.i32("ids"), k, width, beam.i32("lengths")[k]));
  const size_t rows =
      static_cast<size_t>(digits.rows - 4) / 2;  // two rows of pixels a line; the border is white
  fmt::print("\n");
  for (size_t i = 0; i < std::max(rows, lines.size() + 1); ++i) {
    std::string line;
    for (int64_t x = 2; x + 2 < digits.columns; ++x) {
      const int64_t y = 2 + 2 * static_cast<int64_t>(i);
      const float ink = std::max(digits.ink(image, y, x), digits.ink(image, y + 1, x));
      line += " .:+*#"[static_cast<int>(ink * 5)];
    }
    fmt::print("{}   {}\n", line, i > 0 && i <= lines.size() ? lines[i - 1] : "");
  }
}

}  // namespace

int main(int argc, char** argv) try {
  std::string data;
  int64_t hidden = 256, batch = 64, epochs = 30, seed = 1, width = 3;
  CLI::App app("Spells the digit that an image shows.");
  app.add_option("--data", data, kData);
  app.add_option("--hidden", hidden, "size of what is seen")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--batch", batch, "images an update")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--epochs", epochs, "passes over the images")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--beam", width, "width of the beam search")
      ->check(CLI::Range(1, 10))
      ->capture_default_str();
  app.add_option("--seed", seed, "of weights and order")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (data.empty()) throw Error(fmt::format("--data is needed: {}", kData));

  const Digits digits = examples::read_digits(data);
  const int64_t training = digits.count * 4 / 5;  // the last fifth is held out
  const Speller model(digits.rows * digits.columns, hidden);
  const Weights weights = model.init(seed);
  Program train = compile_training(loss_function(model), Adam{.clip_norm = 1}, weights);
  Program write = compile(write_function(model), weights);
  Program beam = compile(beam_function(model, {.width = width}), weights);
  train.resize({{"B", batch}, {"T", kMost}});
  fmt::print("{} images of {} x {}, {} parameters\n", digits.count, digits.rows, digits.columns,
             model.count());

  Random random(seed);
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(random.uniform() * static_cast<double>(n));
  };
  const int64_t updates = std::max<int64_t>(1, training / batch);
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    double loss = 0;
    for (int64_t update = 0; update < updates; ++update) {
      for (int64_t b = 0; b < batch; ++b) {
        const int64_t i = below(training);
        put(train, b, digits, i, below(5) - 2, below(5) - 2);
        put_word(train, b, digits.labels[i]);
      }
      const double done =
          static_cast<double>(epoch * updates + update) / static_cast<double>(epochs * updates);
      train.f32("lr")[0] = static_cast<float>(2e-3 * (1 - done));
      train.run();
      loss += train.f32("loss")[0] / static_cast<double>(updates);
    }
    if ((epoch + 1) % std::max<int64_t>(1, epochs / 10) != 0) continue;
    fmt::print("epoch {:3}  loss {:.4f} nats a letter  exact {:.2f} % of {} images held out\n", epoch + 1,
               loss, 100 * test(write, digits, training).exact, digits.count - training);
    std::fflush(stdout);
  }
  const int64_t doubtful = test(write, digits, training).doubtful;
  for (const int64_t i : {training, training + 1, doubtful}) show(write, beam, digits, i, width);
} catch (const std::exception& e) {
  fmt::print(stderr, "spell: {}\n", e.what());
  return 1;
}
