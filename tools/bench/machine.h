// What the machine can do at most, measured beside each benchmark: times on shared machines compare only
// within one run. One thread.
#pragma once

#include <cstddef>
#include <vector>

namespace rondo::bench {

/// GFLOP/s of independent fused multiply-adds on the machine's widest vectors of float, in a run of about
/// 10 ms.
double fma_peak_gflops();

/// GB/s of reading a buffer of so many bytes (rounded up to 4 KB) again and again, in a run of some
/// milliseconds: of the cache that the buffer fits, or of memory.
class ReadBandwidth {
 public:
  explicit ReadBandwidth(size_t bytes);
  double gbs() const;

 private:
  std::vector<float> buffer_;
};

/// Seconds on a monotonic clock.
double now();

double median(std::vector<double> values);

}  // namespace rondo::bench
