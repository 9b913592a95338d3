// Runs an example's program in a short form, and reads what it prints.
#pragma once

#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/shell.h"

namespace rondo::testing {

/// What `<program> <options>` prints. A failure if its exit code is not `code`.
inline std::string run_example(const std::string& command, int code = 0) {
  const Outcome outcome = shell(std::string("timeout 300 ") + RONDO_BIN + "/" + command);
  EXPECT_EQ(outcome.code, code) << outcome.text;
  return outcome.text;
}

/// The numbers that follow the last `label` in its line; a failure if it is not there.
inline std::vector<double> numbers_after(const std::string& text, std::string_view label) {
  const size_t at = text.rfind(label);
  if (at == std::string::npos) {
    ADD_FAILURE() << "no `" << label << "` in\n" << text;
    return {};
  }
  const size_t start = at + label.size();
  const std::string rest = text.substr(start, text.find('\n', start) - start);
  std::vector<double> numbers;
  for (const char* from = rest.c_str();;) {
    char* end = nullptr;
    const double number = std::strtod(from, &end);
    if (end == from) return numbers;
    numbers.push_back(number);
    from = end;
  }
}

/// The number that follows it; NaN if there is none.
inline double number_after(const std::string& text, std::string_view label) {
  const std::vector<double> numbers = numbers_after(text, label);
  if (numbers.empty()) ADD_FAILURE() << "no number after `" << label << "` in\n" << text;
  return numbers.empty() ? std::numeric_limits<double>::quiet_NaN() : numbers[0];
}

}  // namespace rondo::testing
