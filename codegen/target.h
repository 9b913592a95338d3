// The machines that code is made for: as users name them, and what the schedule needs to know of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rondo::codegen {

/// What one instruction looks up in registers, lane by lane, of a table of eight f32: the f32 themselves,
/// bytes of all of them, or bytes of their halves. No instruction does: they are read from memory.
enum class Lookup { memory, lanes, bytes, halves };

struct Target {
  std::string name;  // as the user named it; empty: not named
  std::string triple, cpu, features;
  int vector_bytes = 16;  // widest vector that is worth using
  int vector_registers = 16;
  bool fma = false;
  Lookup lookup = Lookup::memory;
  bool flushes_denormals = false;  // compiled code counts them as zero
};

/// The host, or the given CPU; of another machine with a triple. Throws Error for what LLVM does not know.
Target target_for(const std::string& cpu = "", const std::string& features = "",
                  const std::string& triple = "");

/// A target by its name (see target_names), or triple[:cpu[:features]] as LLVM has them. Throws Error for
/// others.
Target parse_target(std::string_view text);
/// "host", "x86-64-v3", "aarch64" ...
std::vector<std::string> target_names();

/// The level of x86-64 that a target is (2 for x86-64-v2), by which code for several can be told apart at run
/// time; 0 for all others.
int x86_level(const Target&);

}  // namespace rondo::codegen
