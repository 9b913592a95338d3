// An LSTM of three units learns to count: a^n b^n c^n. See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>

using namespace rondo;

namespace {

constexpr int64_t kSymbols = 3, kNext = 4;  // a, b, c; what may be next is one of these, or the end

struct Counter : Model {
  Lstm lstm;
  Linear head{*this, "head", 3, kNext};

  explicit Counter(bool peepholes) : lstm(*this, "lstm", kSymbols, 3, {.peepholes = peepholes}) {}

  Lstm::State initial(Dim batch) const { return lstm.initial(batch); }

  /// Reads a symbol; gives a number for each that may be next, above 0 if it is legal.
  std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor id) const {
    const Lstm::State next = lstm(s, id);
    return {next, head(next.h)};
  }
};

/// The binary cross-entropy of the numbers. `weight` [T,B] is what a symbol of a string counts.
Function loss_of(const Counter& model) {
  return Function("loss", model, [&](Trace& t) {
    const Tensor weight = t.input("weight", {"T", "B"}), legal = t.input("legal", {"T", "B", kNext});
    auto [end, y] = run(model, model.initial("B"), t.input("x", i32, {"T", "B"}));
    t.output("loss", sum(weight * sum(BinaryCrossEntropy{}.each(y, legal), -1)));
  });
}

/// Of a^n b^n c^n, the symbol t from 0 on; 3 for the end.
int symbol_at(int64_t n, int64_t t) { return static_cast<int>(t / n); }

/// Whether `next` may follow symbol t for one who has read no further: an a or a b after an a, else the one
/// that does.
bool is_legal(int64_t n, int64_t t, int next) { return t < n ? next <= 1 : next == symbol_at(n, t + 1); }

/// All strings with n up to `longest`, each as a column. A string counts as much as any other.
void fill(Program& train, int64_t longest) {
  train.resize({{"T", 3 * longest}, {"B", longest}});
  auto x = train.i32("x");
  auto weight = train.f32("weight"), legal = train.f32("legal");
  for (int64_t n = 1; n <= longest; ++n)
    for (int64_t t = 0; t < 3 * n; ++t) {
      const int64_t at = t * longest + n - 1;
      x[at] = symbol_at(n, t);
      weight[at] = 1.0f / static_cast<float>(3 * n * longest);
      for (int next = 0; next < kNext; ++next) legal[at * kNext + next] = is_legal(n, t, next);
    }
}

bool understands(Program& stream, int64_t n) {
  stream.resize({{"T", 3 * n}, {"B", 1}});
  auto x = stream.i32("x");
  for (int64_t t = 0; t < 3 * n; ++t) x[t] = symbol_at(n, t);
  stream.reset();
  stream.run();
  const auto y = stream.f32("y");
  for (int64_t t = 0; t < 3 * n; ++t)
    for (int next = 0; next < kNext; ++next)
      if ((y[t * kNext + next] > 0) != is_legal(n, t, next)) return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  int64_t longest = 50, updates = 6000, seeds = 10, limit = 1000;
  bool peepholes = true;
  CLI::App app("Trains LSTMs of three units on a^n b^n c^n and tells the first n that each fails at.");
  const auto option = [&](const char* name, int64_t& value, const char* what) {
    app.add_option(name, value, what)->check(CLI::PositiveNumber)->capture_default_str();
  };
  option("--longest", longest, "trains on n = 1 to this");
  option("--updates", updates, "training steps, each on all strings");
  option("--seeds", seeds, "how many networks: with seeds 1, 2, ...");
  option("--limit", limit, "tests n = 1 to this");
  app.add_flag("--peepholes,!--no-peepholes", peepholes, "whether the gates see the cells");
  CLI11_PARSE(app, argc, argv);
  try {
    std::vector<int64_t> firsts;
    const Counter model(peepholes);
    const Adam optimizer{.lr = 0.03, .clip_norm = 1};
    for (int64_t seed = 1; seed <= seeds; ++seed) {
      const Weights weights = model.init(seed);
      Program train = compile_training(loss_of(model), optimizer, weights);
      fill(train, longest);
      for (int64_t update = 0; update < updates; ++update) {
        const double done = static_cast<double>(update) / static_cast<double>(updates);
        train.f32("lr")[0] = static_cast<float>(optimizer.lr * (1 - 0.95 * done));
        train.run();
      }
      Program stream = compile(run_function(model, {}), weights);
      int64_t n = 1;
      while (n <= limit && understands(stream, n)) ++n;
      firsts.push_back(n);
      fmt::print("seed {:2}: loss {:.5f}, first fails at n = {}\n", seed, train.f32("loss")[0], n);
      std::fflush(stdout);
    }
    std::sort(firsts.begin(), firsts.end());
    fmt::print("median: {}\n", 0.5 * static_cast<double>(firsts[(seeds - 1) / 2] + firsts[seeds / 2]));
  } catch (const std::exception& e) {
    fmt::print(stderr, "counter: {}\n", e.what());
    return 1;
  }
}
