// Numbers as digits and as words: what the model reads and what it writes.
#pragma once

#include <rondo/rondo.h>

#include <cstdint>
#include <string>
#include <vector>

/// The letters that are written; the end symbol follows them.
inline constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz -";
inline constexpr int64_t kSymbols = static_cast<int64_t>(kLetters.size()) + 1;
inline constexpr int32_t kEnd = static_cast<int32_t>(kLetters.size());

/// Numbers of up to so many digits, a fifth of which are held out.
class Numbers {
 public:
  Numbers(int64_t digits, uint64_t seed);

  static bool held_out(int64_t n);
  /// A number to train on: as many digits as any other number of digits is likely.
  int64_t draw();
  /// Up to `most` numbers that are held out, none twice.
  std::vector<int64_t> test(int64_t most);

 private:
  int64_t below(int64_t n) { return static_cast<int64_t>(random_.uniform() * static_cast<double>(n)); }

  int64_t digits_;
  rondo::Random random_;
};

/// Makes the numbers the program's sources, a row each.
void set_sources(rondo::Program& program, const std::vector<int64_t>& numbers);
/// And their words its targets.
void set_targets(rondo::Program& program, const std::vector<int64_t>& numbers);
/// The text of ids that lie `stride` apart, from `first` on.
std::string text_of(std::span<const int32_t> ids, int64_t first, int64_t stride, int64_t length);
