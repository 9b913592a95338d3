// What every command that makes a library asks for, and what it tells afterwards.
#pragma once

#include <string>
#include <vector>

#include "frontend/library/library.h"

namespace rondo {

/// The functions of these names, in that order; all without names. Throws Error for one that is not there,
/// listing those that are.
std::vector<Function> choose_functions(std::vector<Function> functions,
                                       const std::vector<std::string>& names);

/// Targets of a list that commas separated, as they do features within a target: +name and -name go on with
/// the target before.
std::vector<std::string> join_features(const std::vector<std::string>& targets);

/// "library", "pointer" or "array". Throws Error for others.
WeightsIn parse_weights_in(const std::string& text);

/// What was made, as lines of text.
std::string to_string(const LibraryReport&);

}  // namespace rondo
