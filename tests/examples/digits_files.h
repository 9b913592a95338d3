// Images of digits for the examples that read MNIST's files, where those are not at hand.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "tests/runtime/util.h"

namespace rondo::testing {

inline std::string big_endian(uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
          static_cast<char>(n)};
}

/// Images of 12 x 12 pixels: one of ten random patterns of 6 x 6 in their middle, up to a pixel off, and
/// noise.
inline void write_digits(const TempDir& dir, uint32_t count) {
  std::mt19937 random(1);
  bool ink[10][6][6];
  for (auto& pattern : ink)
    for (auto& row : pattern)
      for (bool& pixel : row) pixel = random() % 2;
  std::string images = std::string("\0\0\x08\x03", 4) + big_endian(count) + big_endian(12) + big_endian(12);
  std::string labels = std::string("\0\0\x08\x01", 4) + big_endian(count);
  for (uint32_t i = 0; i < count; ++i) {
    const auto digit = random() % 10;
    labels += static_cast<char>(digit);
    for (uint32_t r = 0; r < 12; ++r)
      for (uint32_t c = 0; c < 12; ++c) {
        const bool inside = r >= 3 && r < 9 && c >= 3 && c < 9;
        images += static_cast<char>(random() % 60 + (inside && ink[digit][r - 3][c - 3] ? 190 : 0));
      }
  }
  write_text(dir.file("images-idx3-ubyte"), images);
  write_text(dir.file("labels-idx1-ubyte"), labels);
}

}  // namespace rondo::testing
