// Uses the C++ wrapper of the library amp. Exit code: which check failed.
#include <array>
#include <vector>

#include "amp.hpp"

int main() {
  amp::Stream stream(16);
  if (!stream) return 1;
  std::array<float, 5> x = {0.1f, -0.2f, 0.3f, 0.4f, -0.5f}, steps{}, y{};
  for (size_t t = 0; t < 5; ++t)
    if (stream.step({&x[t], 1}, {&steps[t], 1}) != amp::Status::ok) return 2;
  if (stream.reset() != amp::Status::ok || stream.run(5, x, y) != amp::Status::ok || y != steps) return 3;
  if (stream.run(4, x, y) != amp::Status::bad_size) return 4;
  if (stream.run(17, x, y) != amp::Status::bad_dim) return 5;

  std::vector<std::byte> saved(stream.saved_bytes());
  stream.reset();
  stream.run(3, std::span(x).first(3), std::span(y).first(3));
  if (stream.save(saved) != amp::Status::ok) return 6;
  amp::Stream other(16);
  if (other.restore(saved) != amp::Status::ok) return 7;
  if (other.run(2, std::span(x).last(2), std::span(y).last(2)) != amp::Status::ok || y != steps) return 8;
  saved[0] ^= std::byte{1};
  return other.restore(saved) == amp::Status::bad_save ? 0 : 9;
}
