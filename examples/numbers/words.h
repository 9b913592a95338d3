// English number words.
#pragma once

#include <cstdint>
#include <string>

/// 1742: "one thousand seven hundred forty-two". n in [0, 1000000).
std::string words_of(int64_t n);
