#include "examples/support/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "runtime/files.h"
#include "support/error.h"

namespace examples {

using rondo::Error;

Idx read_idx(const std::string& path) {
  const rondo::InputFile file(path);
  const auto fail = [&](const std::string& what) -> void { throw Error(fmt::format("{}: {}", path, what)); };
  std::array<uint8_t, 4> four;
  file.read(0, std::as_writable_bytes(std::span(four)));
  if (four[0] != 0 || four[1] != 0 || four[2] != 8)
    fail(fmt::format("no idx file of bytes: starts with {:02x} {:02x} {:02x}, not 00 00 08", four[0], four[1],
                     four[2]));
  Idx idx;
  const uint64_t rank = four[3], header = 4 + 4 * rank;
  uint64_t count = 1;
  for (uint64_t i = 0; i < rank; ++i) {
    file.read(4 + 4 * i, std::as_writable_bytes(std::span(four)));
    const uint64_t extent = uint64_t{four[0]} << 24 | four[1] << 16 | four[2] << 8 | four[3];
    idx.shape.push_back(static_cast<int64_t>(extent));
    // No product of extents that the file can hold overflows: it stays under 2^32 times the file's size.
    count = count > file.size() ? count : count * extent;
  }
  if (count == 0 || file.size() < header || file.size() - header != count)
    fail(fmt::format("{} bytes, which are not a header and the elements of [{}]", file.size(),
                     fmt::join(idx.shape, ",")));
  idx.bytes.resize(count);
  file.read(header, std::as_writable_bytes(std::span(idx.bytes)));
  return idx;
}

Digits read_digits(const std::string& folder) {
  const std::string image_path = folder + "/images-idx3-ubyte", label_path = folder + "/labels-idx1-ubyte";
  Idx images = read_idx(image_path), labels = read_idx(label_path);
  if (images.shape.size() != 3)
    throw Error(
        fmt::format("{}: [{}] is not [count,rows,columns]", image_path, fmt::join(images.shape, ",")));
  if (labels.shape != std::vector{images.shape[0]})
    throw Error(
        fmt::format("{}: [{}], beside {} images", label_path, fmt::join(labels.shape, ","), images.shape[0]));
  const auto wrong = std::find_if(labels.bytes.begin(), labels.bytes.end(), [](uint8_t l) { return l > 9; });
  if (wrong != labels.bytes.end())
    throw Error(
        fmt::format("{}: label {} is {}, not a digit", label_path, wrong - labels.bytes.begin(), *wrong));
  return {images.shape[0], images.shape[1], images.shape[2], std::move(images.bytes),
          std::move(labels.bytes)};
}

}  // namespace examples
