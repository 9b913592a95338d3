// Cells whose recurrence is element by element, forward and training, compiled in three ways: time outside as
// of any scan (RONDO_SKIP=by-points), time inside where points are few, and chunks of time side by side
// (kLinear). Interleaved, one thread; medians.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "examples/own_cell/cells.h"
#include "rondo/rondo.h"
#include "tools/bench/machine.h"

namespace {

using namespace rondo;

/// The recurrence alone: a_t and b_t are next to nothing.
struct Filter {
  using State = HiddenState;
  int64_t hidden;
  Param a;
  Filter(Model& m, const std::string& name, int64_t, int64_t hidden)
      : hidden(hidden), a(m.param(name + ".a", {hidden}, init::constant(0.4))) {}
  State initial(Dim batch) const { return {zeros({batch, hidden})}; }
  State operator()(const State& s, Tensor x) const { return {(0.5 + a * x) * s.h + x}; }
};

template <class Cell>
struct OneLayer : Model {
  Cell cell;
  int64_t size;
  explicit OneLayer(int64_t size) : cell(*this, "cell", size, size), size(size) {}

  Tensor outputs(Tensor x) const {
    auto [last, hs] = scan(cell.initial("B"), x, [&](typename Cell::State s, Tensor xt) {
      s = cell(s, xt);
      return std::pair(s, s.h);
    });
    return hs;
  }
  Function forward() const {
    return Function("forward", *this, [&](Trace& t) {
      t.output("hs", outputs(t.input("x", {"T", "B", size})));
    });
  }
  /// The loss sum of h_t dy_t and its gradients.
  Function training() const {
    return gradient(Function("layer", *this, [&](Trace& t) {
      const Tensor x = t.input("x", {"T", "B", size}), dy = t.input("dy", {"T", "B", size});
      t.output("loss", sum(outputs(x) * dy));
    }));
  }
};

struct Size {
  int64_t steps, batch, hidden;
};

Program compiled(const Function& function, const Weights& weights, const Size& size) {
  Program program = compile(function, weights);
  program.resize({{"T", size.steps}, {"B", size.batch}});
  uint32_t state = 1;
  for (const char* name : {"x", "dy"})
    if (name[0] == 'x' || function.func.name == "layer.gradient")
      for (float& v : program.f32(name))
        v = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1;
  return program;
}

/// Medians of a function compiled in the three ways.
std::vector<double> measure(const Function& function, const Weights& weights, const Size& size,
                            int64_t repeats, int64_t chunks) {
  Function linear = function;
  linear.pipeline += fmt::format(",linear-scan{{chunks={}}},hoist-scan,simplify", chunks);
  std::vector<Program> programs;
  setenv("RONDO_SKIP", "by-points", 1);
  programs.push_back(compiled(function, weights, size));
  unsetenv("RONDO_SKIP");
  programs.push_back(compiled(function, weights, size));
  programs.push_back(compiled(linear, weights, size));
  std::vector<std::vector<double>> seconds(programs.size());
  for (int64_t r = 0; r <= repeats; ++r)
    for (size_t p = 0; p < programs.size(); ++p) {
      const double start = bench::now();
      programs[p].run();
      if (r > 0) seconds[p].push_back(bench::now() - start);
    }
  std::vector<double> medians;
  for (const auto& s : seconds) medians.push_back(bench::median(s));
  return medians;
}

template <class Cell>
void measure(const char* name, const Size& size, int64_t repeats, int64_t chunks) {
  const OneLayer<Cell> model(size.hidden);
  const Weights weights = model.init(1);
  for (const Function& f : {model.forward(), model.training()}) {
    const std::vector<double> t = measure(f, weights, size, repeats, chunks);
    fmt::print(
        "{:7} {:8} T={:5} B={:2} H={:3}: {:10.1f} us by steps, {:10.1f} by points ({:.2f}x), {:10.1f} by "
        "chunks ({:.2f}x)\n",
        name, f.func.name == "forward" ? "forward" : "training", size.steps, size.batch, size.hidden,
        t[0] * 1e6, t[1] * 1e6, t[0] / t[1], t[2] * 1e6, t[0] / t[2]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<int64_t> steps = {1000, 10000}, batch = {1, 16}, hidden = {1, 4, 16, 64, 256};
  int64_t repeats = 11, chunks = 4;
  CLI::App app{"Times recurrences element by element: step by step, by points, and in chunks of time"};
  app.add_option("--steps", steps)->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--hidden", hidden)->capture_default_str();
  app.add_option("--repeats", repeats)->capture_default_str();
  app.add_option("--chunks", chunks)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  for (int64_t t : steps)
    for (int64_t b : batch)
      for (int64_t h : hidden) {
        const Size size{t, b, h};
        measure<Filter>("filter", size, repeats, chunks);
        measure<own_cell::MinGru>("minGRU", size, repeats, chunks);
        measure<own_cell::LinearSru>("SRU", size, repeats, chunks);
      }
}
