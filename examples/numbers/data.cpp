#include "examples/numbers/data.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "examples/numbers/words.h"

namespace {

int64_t power_of_ten(int64_t digits) { return static_cast<int64_t>(std::llround(std::pow(10.0, digits))); }

}  // namespace

Numbers::Numbers(int64_t digits, uint64_t seed) : digits_(digits), random_(seed) {}

bool Numbers::held_out(int64_t n) { return rondo::Random(static_cast<uint64_t>(n)).bits() % 5 == 0; }

int64_t Numbers::draw() {
  while (true) {
    const int64_t n = below(power_of_ten(1 + below(digits_)));
    if (!held_out(n)) return n;
  }
}

std::vector<int64_t> Numbers::test(int64_t most) {
  const int64_t end = power_of_ten(digits_);
  std::vector<int64_t> numbers;
  if (end <= 5 * most) {
    for (int64_t n = 0; n < end; ++n)
      if (held_out(n)) numbers.push_back(n);
    return numbers;
  }
  std::set<int64_t> seen;
  while (static_cast<int64_t>(numbers.size()) < most) {
    const int64_t n = below(end);
    if (held_out(n) && seen.insert(n).second) numbers.push_back(n);
  }
  return numbers;
}

void set_sources(rondo::Program& program, const std::vector<int64_t>& numbers) {
  size_t longest = 0;
  for (const int64_t n : numbers) longest = std::max(longest, std::to_string(n).size());
  const size_t rows = numbers.size();
  program.resize({{"S", static_cast<int64_t>(longest)}, {"B", static_cast<int64_t>(rows)}});
  auto source = program.i32("source"), lengths = program.i32("source_lengths");
  std::ranges::fill(source, 0);
  for (size_t b = 0; b < rows; ++b) {
    const std::string digits = std::to_string(numbers[b]);
    for (size_t s = 0; s < digits.size(); ++s) source[s * rows + b] = digits[s] - '0';
    lengths[b] = static_cast<int32_t>(digits.size());
  }
}

void set_targets(rondo::Program& program, const std::vector<int64_t>& numbers) {
  std::vector<std::string> words;
  size_t longest = 0;
  for (const int64_t n : numbers) {
    words.push_back(words_of(n));
    longest = std::max(longest, words.back().size());
  }
  program.resize({{"T", static_cast<int64_t>(longest) + 1}});
  auto target = program.i32("target");
  std::ranges::fill(target, kEnd);
  for (size_t b = 0; b < words.size(); ++b)
    for (size_t t = 0; t < words[b].size(); ++t)
      target[t * words.size() + b] = static_cast<int32_t>(kLetters.find(words[b][t]));
}

std::string text_of(std::span<const int32_t> ids, int64_t first, int64_t stride, int64_t length) {
  std::string text;
  for (int64_t n = 0; n < length; ++n) text += kLetters[static_cast<size_t>(ids[first + n * stride])];
  return text;
}
