// Writes numbers in words, letter by letter. See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <exception>

#include "examples/numbers/data.h"
#include "examples/numbers/words.h"
#include "examples/support/svg.h"

using namespace rondo;
using Kind = Attention::Kind;

namespace {

struct Settings {
  int64_t digits = 4, hidden = 128, batch = 64, updates = 3000, seed = 1, beam = 3;
  double rate = 4e-3, own_rate = 0;
  Kind attention = Kind::none;
  std::string plot;
};

EncoderDecoder make_model(const Settings& s) {
  EncoderDecoderOptions options;
  options.target = {.symbols = kSymbols, .end = kEnd, .embedding = 32, .attention = s.attention};
  return EncoderDecoder(
      options, [&](Model& m, const std::string& name) { return Bidirectional<Lstm>(m, name, 10, s.hidden); },
      [&](Model& m, const std::string& name, int64_t in) { return Lstm(m, name, in, s.hidden); });
}

void train(const EncoderDecoder& model, const Settings& s, Numbers& numbers, const Weights& weights) {
  const Feeding feeding = s.own_rate > 0 ? Feeding::scheduled : Feeding::teacher;
  BuildTimes build;
  Program program =
      compile_training(loss_function(model, feeding), Adam{.clip_norm = 1}, weights, {.times = &build});
  fmt::print("{} parameters; training step {}\n", model.count(), to_string(build));
  const auto start = std::chrono::steady_clock::now();
  double smoothed = std::log(kSymbols);
  std::vector<int64_t> batch(s.batch);
  for (int64_t update = 0; update < s.updates; ++update) {
    const double done = static_cast<double>(update) / static_cast<double>(s.updates);
    for (int64_t& n : batch) n = numbers.draw();
    set_sources(program, batch);
    set_targets(program, batch);
    program.f32("lr")[0] = static_cast<float>(s.rate * (1 - 0.98 * done));
    if (s.own_rate > 0) program.f32("own_rate")[0] = static_cast<float>(s.own_rate * done);
    program.run();
    smoothed = 0.98 * smoothed + 0.02 * program.f32("loss")[0];
    if ((update + 1) % std::max<int64_t>(1, s.updates / 10) != 0) continue;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    fmt::print("update {:6}  loss {:.5f} nats a letter  {:.0f} s\n", update + 1, smoothed, spent.count());
    std::fflush(stdout);
  }
}

/// The longest that there is to write, and its end.
int64_t most_letters(const Settings& s) {
  const char* longest[] = {"",
                           "three",
                           "seventy-three",
                           "three hundred seventy-three",
                           "three thousand three hundred seventy-three",
                           "seventy-three thousand three hundred seventy-three",
                           "three hundred seventy-three thousand three hundred seventy-three"};
  return static_cast<int64_t>(std::string_view(longest[s.digits]).size()) + 1;
}

double exactness(Program& write, const std::vector<int64_t>& numbers) {
  const int64_t rows = static_cast<int64_t>(numbers.size());
  set_sources(write, numbers);
  write.run();
  int64_t right = 0;
  for (int64_t b = 0; b < rows; ++b)
    right += text_of(write.i32("ids"), b, rows, write.i32("lengths")[b]) == words_of(numbers[b]);
  return static_cast<double>(right) / static_cast<double>(rows);
}

/// Greedy, sampled and beam-search writing of one number.
void show(Program& write, Program& beam, int64_t number, int64_t width) {
  for (Program* program : {&write, &beam}) set_sources(*program, {number});
  fmt::print("\n{}\n", number);
  for (const float temperature : {0.f, 1.f}) {
    write.f32("temperature")[0] = temperature;
    write.run();
    fmt::print("  {:8} {:6.2f} %  {}\n", temperature == 0 ? "greedy" : "sampled",
               100 * std::exp(write.f32("score")[0]),
               text_of(write.i32("ids"), 0, 1, write.i32("lengths")[0]));
  }
  beam.run();
  for (int64_t k = 0; k < width; ++k)
    fmt::print("  beam {:<3} {:6.2f} %  {}\n", k + 1, 100 * std::exp(beam.f32("scores")[k]),
               text_of(beam.i32("ids"), k, width, beam.i32("lengths")[k]));
}

/// Which digits are read for which letter.
void plot_attention(Program& write, int64_t number, const std::string& path) {
  set_sources(write, {number});
  write.f32("temperature")[0] = 0;
  write.run();
  const int64_t letters = write.i32("lengths")[0] + 1;
  examples::HeatMap map;
  for (const char c : std::to_string(number)) map.rows.emplace_back(1, c);
  for (const char c : text_of(write.i32("ids"), 0, 1, letters - 1)) map.columns.emplace_back(1, c);
  map.columns.emplace_back("∎");
  const auto weights = write.f32("attention");  // [N,S,1]
  const size_t steps = map.rows.size();
  map.values.resize(steps);
  for (size_t s = 0; s < steps; ++s)
    for (int64_t n = 0; n < letters; ++n) map.values[s].push_back(weights[n * steps + s]);
  draw_heat_map(map).save(path);
}

}  // namespace

int main(int argc, char** argv) try {
  Settings s;
  const std::map<std::string, Kind> kinds = {
      {"none", Kind::none}, {"dot", Kind::dot}, {"additive", Kind::additive}};
  CLI::App app("Writes numbers in words, letter by letter.");
  app.add_option("--digits", s.digits, "of the longest number")
      ->check(CLI::Range(1, 6))
      ->capture_default_str();
  app.add_option("--attention", s.attention, "none, dot or additive")
      ->transform(CLI::CheckedTransformer(kinds));
  app.add_option("--hidden", s.hidden, "size of the LSTMs")
      ->check(CLI::Range(2, 4096))
      ->capture_default_str();
  app.add_option("--batch", s.batch, "numbers an update")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--updates", s.updates, "training steps")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app.add_option("--rate", s.rate, "learning rate at the start; falls to a fiftieth")->capture_default_str();
  app.add_option("--own-rate", s.own_rate, "scheduled sampling: how often it reads its own letter at the end")
      ->check(CLI::Range(0., 1.))
      ->capture_default_str();
  app.add_option("--beam", s.beam, "width of the beam search")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--plot", s.plot, "SVG file for what attention reads");
  app.add_option("--seed", s.seed, "of weights and numbers")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!s.plot.empty() && s.attention == Kind::none)
    throw Error("--plot shows attention: --attention dot or additive");

  const EncoderDecoder model = make_model(s);
  const Weights weights = model.init(s.seed);
  Numbers numbers(s.digits, s.seed);
  train(model, s, numbers, weights);

  Program write = compile(write_function(model), weights);
  Program beam = compile(beam_function(model, {.width = s.beam}), weights);
  for (Program* program : {&write, &beam}) program->resize({{"N", most_letters(s)}});
  const std::vector<int64_t> test = numbers.test(2000);
  const double exact = exactness(write, test);
  fmt::print("exact {:.2f} % of {} numbers held out\n", 100 * exact, test.size());
  for (size_t i = 0; i < 3; ++i) show(write, beam, test[test.size() - 1 - i], s.beam);
  if (!s.plot.empty()) plot_attention(write, test.back(), s.plot);
} catch (const std::exception& e) {
  fmt::print(stderr, "numbers: {}\n", e.what());
  return 1;
}
