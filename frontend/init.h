// Initialisers of parameters: seeded, the same on every platform.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace rondo {

/// A stream of random numbers (SplitMix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits();
  /// In [0, 1).
  double uniform();
  /// Of the standard normal distribution.
  double normal();

 private:
  uint64_t state_;
};

/// Fills a parameter of the given shape, row-major.
using Init = std::function<void(Random&, const std::vector<int64_t>& shape, std::span<double> out)>;

namespace init {

Init zeros();
Init constant(double value);
/// U(-a, a).
Init uniform(double a);
Init normal(double deviation);
/// U(-a, a), a = sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010). Fans are the last two dims.
Init glorot();
/// U(-a, a), a = 1 / sqrt(fan): PyTorch's default of recurrent layers, with the hidden size for a fan.
Init fan_in(int64_t fan);
/// Rows or columns, whichever are fewer, are orthonormal (Saxe et al. 2014).
Init orthogonal();
/// The last dim in equal blocks, each with its own initialiser: the gates of a merged matrix or bias.
Init blocks(std::vector<Init> parts);

}  // namespace init
}  // namespace rondo
