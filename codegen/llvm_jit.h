// Loop program -> LLVM IR -> machine code. The only door to LLVM; no LLVM type passes through it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// The machine code of one loop program.
class NativeCode {
 public:
  virtual ~NativeCode() = default;
  using Entry = void (*)(void* const* args, const int64_t* dims, void* scratch);
  virtual Entry entry() const = 0;
};
std::unique_ptr<NativeCode> jit(const ir::LoopProgram&, const Target&, const CompileOptions&, CompileTimes*);

/// The symbols that the program's object file expects from elsewhere; there are to be none.
std::vector<std::string> undefined_symbols(const ir::LoopProgram&, const Target&);

}  // namespace rondo::codegen
