// The ABI between compiled code and what runs it: what a compiled function takes, and how to call it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/dtype.h"

namespace rondo {

/// One extent of an argument: a number, or an index into Signature::dims.
struct ArgDim {
  int64_t size = 0;
  int32_t dim = -1;

  bool operator==(const ArgDim&) const = default;
};

struct Arg {
  std::string name;
  DType dtype = DType::f32;
  std::vector<ArgDim> shape;
};

/// What a compiled function takes. Arguments are the inputs, then the outputs.
struct Signature {
  std::string name;
  std::vector<std::string> dims;  // named dims, in the order in which a call passes their values
  std::vector<Arg> inputs, outputs;
  /// Output `output` and input `input` share one buffer, which the call updates in place.
  struct Alias {
    uint32_t input, output;
  };
  std::vector<Alias> aliases;
  /// The elements of an i32 input index rows of a table, or are lengths: each must lie in [low, bound +
  /// more). The caller checks before the call.
  struct Bound {
    uint32_t input;
    ArgDim bound;
    int64_t more = 0;
    int64_t low = 0;  // at most 0
  };
  std::vector<Bound> bounds;
};

/// One of the threads that run a call together, as compiled code sees it.
struct Member {
  int64_t thread = 0;               // 0 is the caller
  void (*sync)(Member*) = nullptr;  // returns when all threads of the call are there
};

/// A compiled function. Calls are re-entrant: all memory is the caller's.
class Executable {
 public:
  virtual ~Executable() = default;
  virtual const Signature& signature() const = 0;
  /// Bytes of scratch a call with these dims needs; 64-byte aligned.
  virtual size_t scratch_bytes(const int64_t* dims) const = 0;
  /// Bytes of each copy that a call reads of inputs that are frozen.
  virtual std::vector<size_t> copies() const { return {}; }
  /// Makes the copies from the frozen inputs; args as for a call. Never allocates or throws.
  virtual void freeze(void* const*) const {}
  /// args: one pointer per input, then per output, then per copy, aligned as its elements; code is fastest on
  /// 64 bytes.
  /// Never allocates or throws; locks nothing, unless compiled for several threads, which it then wakes.
  /// Compiled for x86, it computes in a floating-point mode of its own,
  /// whatever the caller's (round to nearest, no traps, denormals count as zero), and leaves the caller's as
  /// it was; elsewhere the caller's mode holds.
  virtual void call(void* const* args, const int64_t* dims, void* scratch) const = 0;
};

}  // namespace rondo
