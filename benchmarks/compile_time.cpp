// How long it takes from a function to a program that can be called: compiled, and from the code cache.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "rondo/rondo.h"
#include "tools/bench/machine.h"

namespace {

using namespace rondo;

/// A character language model of stacked layers.
struct CharModel : Model {
  Stack stack;
  Linear head;
  explicit CharModel(int64_t layers) {
    for (int64_t i = 0; i < layers; ++i)
      stack.layers.push_back(Lstm(*this, fmt::format("layer{}", i), i == 0 ? 65 : 128, 128));
    head = Linear(*this, "head", 128, 65);
  }
  Stack::State initial(Dim batch) const { return stack.initial(batch); }
  std::pair<Stack::State, Tensor> step(const Stack::State& s, Tensor id) const {
    auto [next, h] = stack(s, id);
    return {next, head(h)};
  }
};

EncoderDecoder translator() {
  EncoderDecoderOptions options;
  options.target = {.symbols = 40, .end = 39, .embedding = 32, .attention = Attention::Kind::additive};
  return EncoderDecoder(
      options, [](Model& m, const std::string& name) { return Bidirectional<Lstm>(m, name, 40, 64); },
      [](Model& m, const std::string& name, int64_t in) { return Lstm(m, name, in, 64); });
}

struct Case {
  std::string name;
  std::function<Program(const BuildOptions&)> build;
};

std::vector<Case> cases() {
  static const CharModel one(1), two(2);
  static const EncoderDecoder pair = translator();
  static const Weights w1 = one.init(1), w2 = two.init(1), w3 = pair.init(1);
  return {
      {"train-1-layer",
       [](const BuildOptions& o) {
         return compile_training(loss_function(one, {}, {}, softmax_cross_entropy), Adam{}, w1, o);
       }},
      {"train-2-layers",
       [](const BuildOptions& o) {
         return compile_training(loss_function(two, {}, {}, softmax_cross_entropy), Adam{.clip_norm = 5}, w2,
                                 o);
       }},
      {"run-2-layers", [](const BuildOptions& o) { return compile(run_function(two, {}), w2, o); }},
      {"train-seq2seq",
       [](const BuildOptions& o) { return compile_training(loss_function(pair), Adam{}, w3, o); }},
      {"write-seq2seq", [](const BuildOptions& o) { return compile(write_function(pair), w3, o); }},
      {"beam-seq2seq", [](const BuildOptions& o) { return compile(beam_function(pair), w3, o); }},
  };
}

/// The median of several times, and what it is made of.
std::string measure(const Case& c, int64_t repeats) {
  std::vector<std::pair<double, BuildTimes>> runs;
  for (int64_t r = 0; r < repeats; ++r) {
    BuildTimes times;
    const double start = bench::now();
    c.build({.times = &times});
    runs.emplace_back(bench::now() - start, times);
  }
  std::ranges::sort(runs, {}, [](const auto& run) { return run.first; });
  const auto& [seconds, times] = runs[runs.size() / 2];
  return fmt::format("{:7.1f} ms in all; {}", seconds * 1e3, to_string(times));
}

}  // namespace

int main(int argc, char** argv) {
  int64_t repeats = 3;
  std::vector<std::string> names;
  CLI::App app{"Times compilation, and taking the code from the cache instead"};
  app.add_option("names", names, "some of the programs");
  app.add_option("--repeats", repeats)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const std::string folder =
      (std::filesystem::temp_directory_path() / fmt::format("rondo-compile-time-{}", bench::now())).string();
  for (const Case& c : cases()) {
    if (!names.empty() && std::ranges::find(names, c.name) == names.end()) continue;
    setenv("RONDO_CACHE", "off", 1);
    fmt::print("{:15} cold {}\n", c.name, measure(c, repeats));
    setenv("RONDO_CACHE", folder.c_str(), 1);
    c.build({});
    fmt::print("{:15} warm {}\n", c.name, measure(c, repeats));
  }
  std::filesystem::remove_all(folder);
}
