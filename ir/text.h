// Text of functions: `print` and `parse` round-trip exactly.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/func.h"

namespace rondo::ir {

std::string print(const Func&);
/// One op as it stands in the text, for messages.
std::string print(const Func&, const Op&);

/// Parses one function. Malformed text throws Error with line and column: "lstm.rondo:3:17: unknown op
/// `matmull`".
Func parse(std::string_view text, std::string_view file = "text");
/// Parses one function or more.
std::vector<Func> parse_all(std::string_view text, std::string_view file = "text");

}  // namespace rondo::ir
