// What so many threads of the machine can do at most, measured beside each benchmark: times on shared
// machines compare only within one run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rondo::bench {

/// GFLOP/s of independent fused multiply-adds on the machine's widest vectors of float that have at most so
/// many bytes, in a run of about 10 ms.
double fma_peak_gflops(int64_t threads, int vector_bytes);

/// Seconds from a fused multiply-add to one that adds to its sum.
double fma_latency();

/// GB/s of reading so many bytes again and again, in a run of some milliseconds: of the cache that they fit,
/// or of memory. Each thread reads a part of its own (rounded up to 4 KB), to and fro, so that a near cache
/// gives what it holds even if it does not hold all.
class ReadBandwidth {
 public:
  /// Reads by vectors of at most so many bytes.
  ReadBandwidth(size_t bytes, int64_t threads, int vector_bytes);
  double gbs() const;

 private:
  int vector_bytes_;
  std::vector<std::vector<float>> parts_;
};

/// Seconds on a monotonic clock.
double now();

/// Seconds of processor time of this thread: what others do on the machine leaves them nearly alone.
double processor_time();

double median(std::vector<double> values);

}  // namespace rondo::bench
