// What a function becomes: all that a process needs to call it, in memory or as bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ir/poly.h"
#include "runtime/executable.h"

namespace rondo::codegen {

/// A polynomial whose names are indices into the dims of a call: evaluating it allocates nothing.
struct Size {
  /// windows_of(steps, longest): a dim of the call where longest is 1.
  struct Factor {
    ArgDim steps, longest = {1, -1};
  };
  struct Term {
    int64_t coefficient = 0;
    std::vector<Factor> factors;
  };
  std::vector<Term> terms;

  Size() = default;
  Size(const ir::Poly&, const std::vector<std::string>& dims);
  int64_t operator()(const int64_t* dims) const;
};

struct CompiledCode {
  Signature signature;
  std::vector<Size> slots;  // bytes of each slot of the scratch memory
  /// Bytes of each packed copy of frozen inputs; the object has code to make them.
  std::vector<uint64_t> copies;
  std::string object;   // an object file of the target
  int64_t threads = 1;  // more: the object has code for so many, too
  std::vector<Size> thread_slots;
  Size time_saved, waits;  // of the threads (ThreadGain)
};

std::string to_bytes(const CompiledCode&);
/// What to_bytes gave. Throws InternalError for anything else.
CompiledCode compiled_code(std::string_view bytes);

}  // namespace rondo::codegen
