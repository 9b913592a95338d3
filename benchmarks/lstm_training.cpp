// One training step of an LSTM layer, forward and backward with all gradients (weights, bias, input), against
// the machine's peak of fused multiply-adds measured in the same run, one thread.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <vector>

#include "benchmarks/machine.h"
#include "rondo/rondo.h"

namespace {

using namespace rondo;

struct OneLayer : Model {
  Lstm lstm;
  OneLayer(int64_t in, int64_t hidden) : lstm(*this, "lstm", in, hidden) {}
};

/// loss = sum of h_t dy_t: its gradients are those of a layer whose output receives dy.
Function layer_gradient(const OneLayer& model, int64_t in, int64_t hidden) {
  Function f("lstm_layer", model, [&](Trace& t) {
    Tensor x = t.input("x", {"T", "B", in}), dy = t.input("dy", {"T", "B", hidden});
    auto [last, hs] = scan(model.lstm.initial("B"), x, [&](Lstm::State s, Tensor xt) {
      s = model.lstm(s, xt);
      return std::pair(s, s.h);
    });
    t.output("loss", sum(hs * dy));
  });
  std::string pipeline(passes::kTraining);
  pipeline.replace(pipeline.find(",grad,"), 6, ",grad{wrt=lstm.wx|lstm.wh|lstm.b|x},");
  f.func = passes::run_pipeline(f.func, pipeline);
  f.outputs = {"loss", "d_wx", "d_wh", "d_b", "d_x"};
  f.pipeline = "simplify";
  return f;
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  int64_t hidden = 512, in = 0, batch = 64, steps = 50, repeats = 9;
  CLI::App app{"Times one training step of an LSTM layer against the machine's FMA peak"};
  app.add_option("--hidden", hidden)->capture_default_str();
  app.add_option("--input", in, "input size (0: as hidden)")->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--steps", steps)->capture_default_str();
  app.add_option("--repeats", repeats)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (in == 0) in = hidden;

  OneLayer model(in, hidden);
  BuildTimes times;
  BuildOptions options;
  options.times = &times;
  Program program = compile(layer_gradient(model, in, hidden), model.init(1), options);
  program.resize({{"T", steps}, {"B", batch}});
  for (const char* name : {"x", "dy"}) {
    uint32_t state = 1;
    for (float& v : program.f32(name))
      v = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1;
  }
  program.run();
  std::vector<double> seconds, peaks;
  for (int64_t r = 0; r < repeats; ++r) {  // interleaved, so that both meet the same machine
    peaks.push_back(bench::fma_peak_gflops());
    const double start = bench::now();
    program.run();
    seconds.push_back(bench::now() - start);
  }
  const double flops = 3.0 * 2 * 4 * static_cast<double>(hidden * (in + hidden) * batch * steps);
  const double gflops = flops / median(seconds) * 1e-9, peak = median(peaks);
  fmt::print(
      "lstm training I={} H={} B={} T={}: {:.2f} ms, {:.1f} GFLOP/s, FMA peak {:.1f}, fraction {:.3f}; {}\n",
      in, hidden, batch, steps, median(seconds) * 1e3, gflops, peak, gflops / peak, to_string(times));
}
