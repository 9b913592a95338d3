// Matrix products as layers need them (x W, dy W', x' dy) through the compiler, beside the machine's peak of
// fused multiply-adds.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "codegen/compile.h"
#include "codegen/target.h"
#include "ir/text.h"
#include "tools/bench/machine.h"

namespace {

using namespace rondo;

enum Product { plain, right_transposed, left_transposed };

std::shared_ptr<const Executable> product(Product kind, int64_t m, int64_t n, int64_t k) {
  std::string left = kind == left_transposed ? fmt::format("{},{}", k, m) : fmt::format("{},{}", m, k);
  std::string right = kind == right_transposed ? fmt::format("{},{}", n, k) : fmt::format("{},{}", k, n);
  const char* attr = kind == left_transposed ? " {ta}" : kind == right_transposed ? " {tb}" : "";
  return codegen::compile(
      ir::parse(fmt::format("func @product(%a: f32[{}], %b: f32[{}]) -> (f32[{},{}]) {{\n  %y = matmul %a, "
                            "%b{} : f32[{},{}]\n  return %y\n}}\n",
                            left, right, m, n, attr, m, n)));
}

struct Free {
  void operator()(float* p) const { std::free(p); }
};
using Memory = std::unique_ptr<float, Free>;

Memory floats(size_t count) {
  Memory m(static_cast<float*>(std::aligned_alloc(64, (count * sizeof(float) + 127) / 64 * 64)));
  for (size_t i = 0; i < count; ++i) m.get()[i] = static_cast<float>(i % 251) * 0.01f - 1;
  return m;
}

void run(benchmark::State& state, Product kind) {
  int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  auto executable = product(kind, m, n, k);
  Memory a = floats(m * k), b = floats(k * n), y = floats(m * n),
         scratch = floats(executable->scratch_bytes(nullptr) / 4);
  void* args[] = {a.get(), b.get(), y.get()};
  double peak = bench::fma_peak_gflops(1, codegen::target_for().vector_bytes);
  for (auto _ : state) executable->call(args, nullptr, scratch.get());
  double gflop = 2e-9 * static_cast<double>(m * n * k) * static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(gflop, benchmark::Counter::kIsRate);
  state.counters["of_peak"] = benchmark::Counter(gflop / peak, benchmark::Counter::kIsRate);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->Args({512, 512, 512})
      ->Args({64, 2048, 512})
      ->Args({16, 512, 128})
      ->Args({1, 2048, 512})
      ->Args({3200, 2048, 512});
}

BENCHMARK_CAPTURE(run, x_w, plain)->Apply(sizes)->UseRealTime();
BENCHMARK_CAPTURE(run, dy_wt, right_transposed)->Apply(sizes)->UseRealTime();
BENCHMARK_CAPTURE(run, xt_dy, left_transposed)->Apply(sizes)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
