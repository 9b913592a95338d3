// Images of digits as idx files, the format of MNIST.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace examples {

/// A tensor of bytes, row-major.
struct Idx {
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;
};

/// Reads an idx file of unsigned bytes: two zeros, the type 8, the rank, each extent in four bytes, highest
/// first, then the elements. Throws rondo::Error, with the path and what is wrong, for any other file.
Idx read_idx(const std::string& path);

/// Images of one size, and which digit each shows.
struct Digits {
  int64_t count = 0, rows = 0, columns = 0;
  std::vector<uint8_t> pixels, labels;  // 0 is white paper, 255 black ink; labels in [0, 10)

  std::span<const uint8_t> image(int64_t i) const {
    return std::span(pixels).subspan(static_cast<size_t>(i * rows * columns),
                                     static_cast<size_t>(rows * columns));
  }
  /// In [0, 1]; 0 outside of the image.
  float ink(int64_t i, int64_t row, int64_t column) const {
    const bool inside = row >= 0 && row < rows && column >= 0 && column < columns;
    return inside ? static_cast<float>(image(i)[static_cast<size_t>(row * columns + column)]) / 255 : 0;
  }
};

/// Reads the files images-idx3-ubyte and labels-idx1-ubyte of a folder.
Digits read_digits(const std::string& folder);

}  // namespace examples
