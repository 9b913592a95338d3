// What rows of different lengths cost: an LSTM over a batch whose lengths are drawn from 1..T, against the
// same batch with all rows full. The ratio of the times should be that of the sums of lengths.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <vector>

#include "rondo/rondo.h"
#include "tools/bench/machine.h"

namespace {

using namespace rondo;

struct Tagger : Model {
  Lstm lstm;
  Linear head;
  Tagger(int64_t hidden, int64_t symbols)
      : lstm(*this, "lstm", hidden, hidden), head(*this, "head", hidden, symbols) {}
};

/// The layer's ys.
Tensor layer(const Tagger& model, Trace& t, int64_t hidden, const Tensor& lengths) {
  auto step = [&](Lstm::State s, Tensor x) {
    s = model.lstm(s, x);
    return std::pair(s, s.h);
  };
  return scan(model.lstm.initial("B"), t.input("x", {"T", "B", hidden}), step, {.lengths = lengths}).second;
}

/// loss = sum of h_t dy_t: its gradients are those of a layer whose output receives dy.
Function layer_training(const Tagger& model, int64_t hidden) {
  const Function loss("lstm", model, [&](Trace& t) {
    const Tensor ys = layer(model, t, hidden, t.input("lengths", DType::i32, {"B"}));
    t.output("loss", sum(ys * t.input("dy", {"T", "B", hidden})));
  });
  return gradient(loss, {.wrt = {"lstm.wx", "lstm.wh", "lstm.b", "x"}});
}

Function layer_inference(const Tagger& model, int64_t hidden) {
  return Function("lstm", model, [&](Trace& t) {
    t.output("ys", layer(model, t, hidden, t.input("lengths", DType::i32, {"B"})));
  });
}

/// A softmax over symbols at each step; steps beyond a row's length do not count.
Function tagger_training(const Tagger& model, int64_t hidden, int64_t symbols) {
  const Function loss("tagger", model, [&](Trace& t) {
    const Tensor lengths = t.input("lengths", DType::i32, {"B"});
    const Tensor logits = model.head(layer(model, t, hidden, lengths));
    const Tensor wanted = expand(t.input("ids", DType::i32, {"T", "B"}), -1, symbols);
    const Tensor chosen = select(equal(wanted, iota(logits.shape(), -1)), logits, 0);
    const Tensor active = less(iota({"T", "B"}, 0), expand(lengths, 0, "T"));
    t.output("loss", sum(select(active, logsumexp(logits) - sum(chosen, -1), 0)));
  });
  return gradient(loss);
}

struct Batch {
  int64_t rows, steps;
  bool sorted;
};

/// What else runs on the machine only adds.
double least(const std::vector<double>& v) { return *std::ranges::min_element(v); }

std::vector<int32_t> drawn_lengths(const Batch& batch) {
  std::mt19937 random(7);
  std::vector<int32_t> lengths(static_cast<size_t>(batch.rows));
  for (int32_t& n : lengths) n = static_cast<int32_t>(1 + random() % static_cast<uint32_t>(batch.steps));
  if (batch.sorted) std::sort(lengths.rbegin(), lengths.rend());
  return lengths;
}

/// One line: the program with drawn lengths and with full ones, in turns, so that both meet the same machine.
void compare(const char* what, Program program, const Batch& batch, int64_t repeats) {
  program.resize({{"T", batch.steps}, {"B", batch.rows}});
  for (const Arg& arg : program.signature().inputs) {
    if (arg.name != "x" && arg.name != "dy") continue;
    uint32_t state = 1;
    for (float& v : program.f32(arg.name))
      v = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1;
  }
  const std::vector<int32_t> drawn = drawn_lengths(batch);
  const std::vector<int32_t> full(drawn.size(), static_cast<int32_t>(batch.steps));
  auto seconds = [&](const std::vector<int32_t>& lengths) {
    program.set("lengths", lengths);
    const double start = bench::now();
    program.run();
    return bench::now() - start;
  };
  seconds(full);
  std::vector<double> ragged, padded;
  for (int64_t r = 0; r < repeats; ++r) {
    ragged.push_back(seconds(drawn));
    padded.push_back(seconds(full));
  }
  const double work =
      std::accumulate(drawn.begin(), drawn.end(), 0.0) / static_cast<double>(batch.rows * batch.steps);
  const double time = least(ragged) / least(padded);
  fmt::print(
      "{:<18} ragged {:8.2f} ms, full {:8.2f} ms; sums of lengths 1:{:.3f}, times 1:{:.3f}, quotient "
      "{:.3f}\n",
      what, least(ragged) * 1e3, least(padded) * 1e3, 1 / work, 1 / time, time / work);
}

}  // namespace

int main(int argc, char** argv) {
  int64_t hidden = 256, symbols = 1000, repeats = 9;
  Batch batch{64, 100, true};
  bool unsorted = false;
  CLI::App app{"Times batches with rows of different lengths against full ones"};
  app.add_option("--hidden", hidden)->capture_default_str();
  app.add_option("--symbols", symbols)->capture_default_str();
  app.add_option("--batch", batch.rows)->capture_default_str();
  app.add_option("--steps", batch.steps)->capture_default_str();
  app.add_option("--repeats", repeats)->capture_default_str();
  app.add_flag("--unsorted", unsorted, "leave the lengths in the order drawn");
  CLI11_PARSE(app, argc, argv);
  batch.sorted = !unsorted;

  const Tagger model(hidden, symbols);
  const Weights weights = model.init(1);
  compare("inference", compile(layer_inference(model, hidden), weights), batch, repeats);
  compare("training", compile(layer_training(model, hidden), weights), batch, repeats);
  compare("training a tagger", compile(tagger_training(model, hidden, symbols), weights), batch, repeats);
}
