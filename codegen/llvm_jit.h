// Loop program -> LLVM IR -> machine code. The only door to LLVM; no LLVM type passes through it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/compile.h"
#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// Machine code in memory, ready to be called.
class NativeCode {
 public:
  virtual ~NativeCode() = default;
  using Entry = void (*)(void* const* args, const int64_t* dims, void* scratch);
  virtual Entry entry() const = 0;
};

/// The machine code of one loop program, as an object file.
std::string compile_object(const ir::LoopProgram&, const Target&, const CompileOptions&, CompileTimes&);
/// Loads what compile_object gave for the host.
std::unique_ptr<NativeCode> load_object(std::string_view object);
/// The two after each other.
std::unique_ptr<NativeCode> jit(const ir::LoopProgram&, const Target&);

/// The symbols that the program's object file expects from elsewhere; there are to be none.
std::vector<std::string> undefined_symbols(const ir::LoopProgram&, const Target&);

}  // namespace rondo::codegen
