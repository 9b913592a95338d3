// The block of weights that a library prepares at run time, as compiled code reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "codegen/library.h"
#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// Lays out, for the code of one target, what entries read of the given weights: as they are, and packed
/// copies. What several want is there once.
class PreparedBlock {
 public:
  /// Where the copies are that a program asks for.
  struct Copies {
    std::vector<int64_t> offsets;  // in the order of LoopProgram::prepared
    std::vector<ir::Pack> own;     // those that no program before asks for
  };

  PreparedBlock(const std::vector<Library::Given>& given, const Target& target)
      : given_(given), target_(target) {}

  Copies add(const Entry&, const ir::LoopProgram&);

  /// The weights that are read as they are, by number, and where they are.
  const std::map<uint32_t, int64_t>& plain() const { return plain_; }
  int64_t bytes() const { return bytes_; }

 private:
  int64_t place(int64_t bytes);
  std::span<const std::byte> numbered(uint32_t weight, size_t element);

  const std::vector<Library::Given>& given_;
  const Target& target_;
  std::map<uint32_t, int64_t> plain_;
  std::map<std::string, int64_t> packed_;  // by what is where in a copy
  std::map<uint32_t, std::vector<std::byte>> numbered_;
  int64_t bytes_ = 0;
};

}  // namespace rondo::codegen
