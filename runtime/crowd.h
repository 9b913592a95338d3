// Whether others have the cores that the threads of a call would need.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace rondo {

/// Looks at how long the caller's thread waited in each call for the others. Where it was for most of the
/// time, these had no core, and one thread would have been faster: then calls keep to one for a while, of
/// which the next try may take a tenth at most, and a longer one if that fails as well. Times are
/// nanoseconds.
class Crowd {
 public:
  /// Whether a call that starts now does better on one thread.
  bool is_there(int64_t now) const { return now < until_.load(std::memory_order_relaxed); }
  /// Whether there was one: else nobody has to read the clock.
  bool was_there() const { return until_.load(std::memory_order_relaxed) != 0; }

  /// A call ended now, took so long, and of that waited so long. Calls whose shares are uneven wait as well,
  /// but less.
  void note(int64_t now, int64_t took, int64_t waited) {
    const bool crowded = waited > took / 3 * 2;
    pause_ = crowded ? std::clamp(10 * waited, std::min(2 * pause_, kLongest), kLongest) : 0;
    if (crowded || was_there()) until_.store(crowded ? now + pause_ : 0, std::memory_order_relaxed);
  }

 private:
  static constexpr int64_t kLongest = 1'000'000'000;
  int64_t pause_ = 0;
  std::atomic<int64_t> until_ = 0;
};

}  // namespace rondo
