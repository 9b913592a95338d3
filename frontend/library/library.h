// Ahead of time: functions of a model as a static library with a C header, which needs nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/function.h"
#include "ir/type.h"
#include "runtime/weights.h"

namespace rondo {

/// Where the weights of a library are at a call.
enum class WeightsIn {
  library,  // in its read-only data
  pointer,  // in the caller's memory; their values are written to <name>_weights.bin, if given
  array,    // the same, their values as a C array in <name>_weights.h
};

struct LibraryOptions {
  std::string name;                             // of the files: lib<name>.a, <name>.h
  std::string prefix = {};                      // of the C names; empty: the name
  std::string directory = ".";                  // made if it is not there
  std::vector<std::string> targets = {"host"};  // see codegen/target.h
  ir::DimValues dims = {};                      // binds named dims, which specialises the code
  WeightsIn weights = WeightsIn::library;
  int64_t block = 64;    // the most steps that a function hoists products for at a time: see export_library
  bool selftest = true;  // <name>_selftest.c
  std::vector<std::string> emit;  // texts of the stages, to <directory>/stages: ir, llvm, assembly, html
};

/// What was made.
struct LibraryReport {
  struct Entry {
    std::string name, scratch;  // scratch: bytes, as a number or in the dims
    int64_t stack = 0;          // bytes at most
  };
  std::vector<std::string> files;
  std::vector<Entry> entries;  // the largest figures of all targets
  int64_t code_bytes = 0, data_bytes = 0;
  int64_t prepared_bytes = 0;  // of weights that the caller brings, as functions read them
  double seconds = 0;
};

/// Writes the library, its header <name>.h (C99), a wrapper <name>.hpp (C++20) and a self-test. Each function
/// is an entry <prefix>_<function>. Targets are levels of x86-64, which share an archive, and others, which
/// get one each; with more than one archive, each is in a folder of its target's name.
///
/// A function that walks its steps forward does so in blocks of at most options.block steps, so that its
/// scratch memory does not grow with their number. Smaller blocks take less of it; results are the same to
/// the bit.
///
/// Weights in the caller's memory are prepared once: <prefix>_prepare copies them as the functions that only
/// read them do, packed for products, to a block that these take. A function that updates parameters makes
/// the weights the caller's, whatever the options say; <prefix>_init fills that memory. Throws Error for what
/// cannot be made, and leaves no file of it behind.
LibraryReport export_library(const std::vector<Function>& functions, const Weights& weights,
                             const LibraryOptions& options);

}  // namespace rondo
