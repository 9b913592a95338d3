// Times of parts of some work.
#pragma once

#include <chrono>

namespace rondo {

/// Adds the time since the last lap to a figure.
class Stopwatch {
 public:
  void lap(double& seconds) {
    auto now = std::chrono::steady_clock::now();
    seconds += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace rondo
