// Threefry-2x32-20, the counter-based generator behind `random` (Salmon et al., Parallel random numbers: as
// easy as 1, 2, 3, 2011).
#pragma once

#include <array>
#include <cstdint>

namespace rondo {

inline constexpr std::array<int, 8> kThreefryRotations = {13, 15, 26, 6, 17, 29, 16, 24};
inline constexpr uint32_t kThreefryParity = 0x1BD11BDA;

/// The first word of the cipher of {x0, x1} under key {k0, k1}.
constexpr uint32_t threefry(uint32_t k0, uint32_t k1, uint32_t x0, uint32_t x1) {
  const uint32_t key[3] = {k0, k1, kThreefryParity ^ k0 ^ k1};
  x0 += k0;
  x1 += k1;
  for (uint32_t round = 0; round < 20; ++round) {
    x0 += x1;
    int r = kThreefryRotations[round % 8];
    x1 = ((x1 << r) | (x1 >> (32 - r))) ^ x0;
    if (round % 4 == 3) {
      uint32_t s = round / 4 + 1;
      x0 += key[s % 3];
      x1 += key[(s + 1) % 3] + s;
    }
  }
  return x0;
}

/// Uniform in [0, 1) with 24 bits: a pure function of key, counter and index, which are i32 values.
constexpr double threefry_uniform(double key, double counter, double index) {
  auto word = [](double v) { return static_cast<uint32_t>(static_cast<int64_t>(v)); };
  return (threefry(word(key), word(counter), word(index), 0) >> 8) * (1.0 / (1 << 24));
}

}  // namespace rondo
