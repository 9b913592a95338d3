#include "examples/numbers/words.h"

#include <fmt/format.h>

namespace {

constexpr const char* kSmall[] = {"zero",    "one",     "two",       "three",    "four",
                                  "five",    "six",     "seven",     "eight",    "nine",
                                  "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                  "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr const char* kTens[] = {"",      "",      "twenty",  "thirty", "forty",
                                 "fifty", "sixty", "seventy", "eighty", "ninety"};

/// "<whole> <unit> <rest>", where the rest may be nothing.
std::string joined(const std::string& whole, const char* unit, int64_t rest) {
  return rest ? fmt::format("{} {} {}", whole, unit, words_of(rest)) : fmt::format("{} {}", whole, unit);
}

}  // namespace

std::string words_of(int64_t n) {
  if (n < 20) return kSmall[n];
  if (n < 100) return n % 10 ? fmt::format("{}-{}", kTens[n / 10], kSmall[n % 10]) : kTens[n / 10];
  if (n < 1000) return joined(kSmall[n / 100], "hundred", n % 100);
  return joined(words_of(n / 1000), "thousand", n % 1000);
}
