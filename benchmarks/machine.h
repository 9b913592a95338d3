// What the machine can do at most, measured beside each benchmark: times on shared machines compare only
// within one run.
#pragma once

namespace rondo::bench {

/// GFLOP/s of independent fused multiply-adds on full vectors of float, one thread, in a run of about 20 ms.
double fma_peak_gflops();

/// Seconds on a monotonic clock.
double now();

}  // namespace rondo::bench
