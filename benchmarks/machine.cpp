#include "benchmarks/machine.h"

#include <chrono>
#include <cstdint>
#include <utility>

namespace rondo::bench {
namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64, kChains = 24;
#elif defined(__AVX__)
constexpr int kBytes = 32, kChains = 12;
#else
constexpr int kBytes = 16, kChains = 12;
#endif
typedef float Vector __attribute__((vector_size(kBytes)));
constexpr int kLanes = kBytes / 4;

/// Enough independent chains to hide the latency, each in a register of its own: a parameter pack, not an
/// array.
template <size_t... I>
float chains(int64_t steps, std::index_sequence<I...>) {
  Vector a[] = {(Vector{} + static_cast<float>(I))...};
  Vector x = Vector{} + 0.999f, y = Vector{} + 1e-3f;
  asm volatile("" : "+x"(x), "+x"(y));
  for (int64_t s = 0; s < steps; ++s) ((a[I] = a[I] * x + y), ...);
  Vector sum = (a[I] + ...);
  return sum[0];
}

}  // namespace

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double fma_peak_gflops() {
  constexpr int64_t kSteps = 3'000'000;
  const double start = now();
  volatile float sink = chains(kSteps, std::make_index_sequence<kChains>{});
  (void)sink;
  return 2.0 * kLanes * kChains * kSteps / (now() - start) * 1e-9;
}

}  // namespace rondo::bench
