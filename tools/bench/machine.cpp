#include "tools/bench/machine.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "runtime/threads.h"
#include "support/error.h"

namespace rondo::bench {
namespace {

constexpr size_t kPage = 4096;

template <int bytes>
using Vector [[gnu::vector_size(bytes)]] = float;

/// One chain waits for each multiply-add; so many hide the latency, and leave 4 of 16 registers for
/// constants.
using One = std::make_index_sequence<1>;
using Enough = std::make_index_sequence<12>;

/// Independent chains, each in a register of its own: a parameter pack, not an array. They start at numbers
/// that the compiler does not know, as it would leave out one that stays at 1. Returns the multiply-adds.
/// Inlined, so that it is compiled for the machine its caller is for.
template <int bytes, size_t... I>
[[gnu::always_inline]] inline double chains(int64_t steps, std::index_sequence<I...>) {
  const volatile float start = 2;
  Vector<bytes> a[] = {(Vector<bytes>{} + (start + static_cast<float>(I)))...};
  Vector<bytes> x = Vector<bytes>{} + 0.999f, y = Vector<bytes>{} + 1e-3f;
  for (int64_t s = 0; s < steps; ++s) ((a[I] = a[I] * x + y), ...);
  const Vector<bytes> sum = (a[I] + ...);
  volatile float sink = sum[0];
  (void)sink;
  return static_cast<double>(steps) * sizeof...(I) * bytes / sizeof(float);
}

/// Reads all of data, whose size is a multiple of 8 vectors, to its end and back to its start, each quarter
/// of it in a stream of its own, as a core waits for several at a time. Returns a sum, so that nothing is
/// left out.
template <int bytes>
[[gnu::always_inline]] inline float read(const float* data, size_t size) {
  constexpr size_t pair = 2 * bytes / sizeof(float);
  const size_t quarter = size / 4;
  Vector<bytes> sums[8] = {};
  const auto add = [&](size_t at) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; ++i)
      sums[i] += reinterpret_cast<const Vector<bytes>*>(data + i / 2 * quarter + at)[i % 2];
  };
  for (size_t at = 0; at < quarter; at += pair) add(at);
  for (size_t at = quarter; at > 0; at -= pair) add(at - pair);
  return (((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])))[0];
}

#if defined(__x86_64__)
[[gnu::target("avx512f")]] double chains_avx512(int64_t steps) { return chains<64>(steps, Enough{}); }
[[gnu::target("avx512f")]] float read_avx512(const float* data, size_t size) { return read<64>(data, size); }
[[gnu::target("avx2,fma")]] double chains_avx2(int64_t steps) { return chains<32>(steps, Enough{}); }
[[gnu::target("avx2,fma")]] double chain_avx2(int64_t steps) { return chains<32>(steps, One{}); }
[[gnu::target("avx2,fma")]] float read_avx2(const float* data, size_t size) { return read<32>(data, size); }
#endif

/// One chain, whose latency no vector length changes.
double one_chain(int64_t steps) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return chain_avx2(steps);
#endif
  return chains<16>(steps, One{});
}

double run_chains(int64_t steps, [[maybe_unused]] int vector_bytes) {
#if defined(__x86_64__)
  if (vector_bytes >= 64 && __builtin_cpu_supports("avx512f")) return chains_avx512(steps);
  if (vector_bytes >= 32 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return chains_avx2(steps);
#endif
  return chains<16>(steps, Enough{});
}

float run_read(const float* data, size_t size, [[maybe_unused]] int vector_bytes) {
#if defined(__x86_64__)
  if (vector_bytes >= 64 && __builtin_cpu_supports("avx512f")) return read_avx512(data, size);
  if (vector_bytes >= 32 && __builtin_cpu_supports("avx2")) return read_avx2(data, size);
#endif
  return read<16>(data, size);
}

/// The sum of rate(thread) over threads that run at a time.
template <class Rate>
double sum_over_threads(int64_t threads, Rate rate) {
  std::vector<double> rates(static_cast<size_t>(threads));
  reserve_threads(threads);
  auto run = [&](Member* member) { rates[static_cast<size_t>(member->thread)] = rate(member->thread); };
  RONDO_CHECK(run_on_threads(threads, run), "the threads are at work");
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

double read_gbs(const std::vector<float>& buffer, int vector_bytes) {
  constexpr double kSeconds = 4e-3;
  const auto misaligned = reinterpret_cast<uintptr_t>(buffer.data()) % kPage / sizeof(float);
  const float* data = buffer.data() + (misaligned ? kPage / sizeof(float) - misaligned : 0);
  // The clock is a system call: between two of them so much is read that it does not count.
  const size_t size = buffer.size() - kPage / sizeof(float), passes = std::max<size_t>(1, (1 << 20) / size);
  volatile float sink = run_read(data, size, vector_bytes);
  const double start = processor_time();
  double bytes = 0, seconds = 0;
  for (; seconds < kSeconds; seconds = processor_time() - start) {
    for (size_t pass = 0; pass < passes; ++pass) sink = run_read(data, size, vector_bytes);
    bytes += static_cast<double>(2 * passes * size * sizeof(float));
  }
  (void)sink;
  return bytes / seconds * 1e-9;
}

}  // namespace

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double processor_time() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double fma_peak_gflops(int64_t threads, int vector_bytes) {
  return sum_over_threads(threads, [=](int64_t) {
    const double start = processor_time();
    const double multiply_adds = run_chains(1'500'000, vector_bytes);
    return 2 * multiply_adds / (processor_time() - start) * 1e-9;
  });
}

double fma_latency() {
  constexpr int64_t kSteps = 200'000;
  double least = 1;
  for (int turn = 0; turn < 5; ++turn) {
    const double start = processor_time();
    one_chain(kSteps);
    least = std::min(least, (processor_time() - start) / kSteps);
  }
  return least;
}

ReadBandwidth::ReadBandwidth(size_t bytes, int64_t threads, int vector_bytes) : vector_bytes_(vector_bytes) {
  const size_t part = bytes / static_cast<size_t>(threads);
  const size_t pages = (part + kPage - 1) / kPage + 1;  // one to align
  for (int64_t t = 0; t < threads; ++t) parts_.emplace_back(pages * kPage / sizeof(float), 1.0f);
}

double ReadBandwidth::gbs() const {
  return sum_over_threads(static_cast<int64_t>(parts_.size()), [&](int64_t thread) {
    return read_gbs(parts_[static_cast<size_t>(thread)], vector_bytes_);
  });
}

}  // namespace rondo::bench
