// How names, types and sizes are written in C.
#pragma once

#include <set>
#include <string>

#include "ir/poly.h"

namespace rondo::library {

/// Whether a name is one in C, and no keyword.
bool is_c_identifier(const std::string& name);
/// What an entry or a parameter is called in C: other characters become underscores.
std::string c_name(const std::string& name, const std::set<std::string>& taken);
/// As macros are written.
std::string upper(std::string text);
/// In C: "64 * T + 128".
std::string in_c(const ir::Poly&);
/// "float", "int32_t" ...
std::string c_type(DType);

}  // namespace rondo::library
