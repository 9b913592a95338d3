#include "frontend/init.h"

#include <cmath>

#include "support/error.h"

namespace rondo {
namespace {

/// True with probability exp(-1/2): the parity of the length of a falling run of uniforms that starts below
/// 1/2 (von Neumann).
bool half_exponential(Random& random) {
  bool even = true;
  for (double last = 0.5;; even = !even) {
    double u = random.uniform();
    if (u >= last) return even;
    last = u;
  }
}

/// True with probability exp(-x (2k + x) / (2k + 2)) for x in [0, 1) (Karney 2016, algorithm B).
bool tail_accepts(Random& random, int k, double x) {
  bool even = true;
  for (double last = x;; even = !even) {
    double u = random.uniform();
    if (u >= last || random.uniform() >= (2 * k + x) / (2 * k + 2)) return even;
    last = u;
  }
}

}  // namespace

uint64_t Random::bits() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double Random::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

// Exact sampling by comparisons alone (Karney 2016, algorithm N): no libm, so every platform draws the same
// numbers.
double Random::normal() {
  for (;;) {
    int k = 0;
    while (half_exponential(*this)) ++k;
    bool accepted = true;
    for (int i = k * (k - 1); i > 0 && accepted; --i) accepted = half_exponential(*this);
    if (!accepted) continue;
    double x = uniform();
    for (int i = 0; i <= k && accepted; ++i) accepted = tail_accepts(*this, k, x);
    if (accepted) return (bits() & 1) ? k + x : -(k + x);
  }
}

namespace init {

Init constant(double value) {
  return [value](Random&, const std::vector<int64_t>&, std::span<double> out) {
    for (double& v : out) v = value;
  };
}

Init zeros() { return constant(0); }

Init uniform(double a) {
  return [a](Random& random, const std::vector<int64_t>&, std::span<double> out) {
    for (double& v : out) v = a * (2 * random.uniform() - 1);
  };
}

Init normal(double deviation) {
  return [deviation](Random& random, const std::vector<int64_t>&, std::span<double> out) {
    for (double& v : out) v = deviation * random.normal();
  };
}

Init glorot() {
  return [](Random& random, const std::vector<int64_t>& shape, std::span<double> out) {
    int64_t fans = 0;
    for (size_t i = shape.size() < 2 ? 0 : shape.size() - 2; i < shape.size(); ++i) fans += shape[i];
    uniform(fans ? std::sqrt(6.0 / static_cast<double>(fans)) : 0)(random, shape, out);
  };
}

Init fan_in(int64_t fan) { return uniform(1 / std::sqrt(static_cast<double>(fan))); }

// Gram-Schmidt on rows of normal numbers, twice for full precision ("twice is enough", Giraud et al. 2005).
Init orthogonal() {
  return [](Random& random, const std::vector<int64_t>& shape, std::span<double> out) {
    if (shape.size() != 2) throw Error("rondo: init::orthogonal: the parameter is no matrix");
    const bool tall = shape[0] > shape[1];
    const int64_t rows = tall ? shape[1] : shape[0], width = tall ? shape[0] : shape[1];
    std::vector<std::vector<double>> q(rows, std::vector<double>(width));
    for (int64_t r = 0; r < rows; ++r) {
      for (double& v : q[r]) v = random.normal();
      for (int pass = 0; pass < 2; ++pass) {
        for (int64_t p = 0; p < r; ++p) {
          double dot = 0;
          for (int64_t i = 0; i < width; ++i) dot += q[r][i] * q[p][i];
          for (int64_t i = 0; i < width; ++i) q[r][i] -= dot * q[p][i];
        }
      }
      double norm = 0;
      for (double v : q[r]) norm += v * v;
      for (double& v : q[r]) v /= std::sqrt(norm);
    }
    for (int64_t i = 0; i < shape[0]; ++i)
      for (int64_t j = 0; j < shape[1]; ++j) out[i * shape[1] + j] = tall ? q[j][i] : q[i][j];
  };
}

Init blocks(std::vector<Init> parts) {
  return
      [parts = std::move(parts)](Random& random, const std::vector<int64_t>& shape, std::span<double> out) {
        const int64_t count = static_cast<int64_t>(parts.size());
        if (shape.empty() || shape.back() % count)
          throw Error("rondo: init::blocks: the last dim has no equal blocks");
        std::vector<int64_t> part_shape = shape;
        const int64_t width = part_shape.back() /= count;
        const int64_t rows = width ? static_cast<int64_t>(out.size()) / shape.back() : 0;
        std::vector<double> part(rows * width);
        for (int64_t p = 0; p < count; ++p) {
          parts[p](random, part_shape, part);
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t i = 0; i < width; ++i) out[(r * count + p) * width + i] = part[r * width + i];
        }
      };
}

}  // namespace init
}  // namespace rondo
