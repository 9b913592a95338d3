// Environment variables.
#pragma once

#include <string>

namespace rondo {

/// The variable's value; empty if it is not set.
std::string environment(const char* name);

}  // namespace rondo
