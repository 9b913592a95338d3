// What tells compilers, and texts, apart: stored code may be used only by the compiler that made it.
#pragma once

#include <string>
#include <string_view>

namespace rondo::codegen {

/// A digest of the compiler's sources and of how they were built, made by the build.
extern const char* const kBuildId;

/// The build and the LLVM library in use.
std::string compiler_id();

/// 32 bytes, different for any two texts (BLAKE3).
std::string digest(std::string_view text);

}  // namespace rondo::codegen
