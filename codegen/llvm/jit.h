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
  /// What each thread of a call runs; null if there is no code for several threads.
  using MemberEntry = void (*)(void* const* args, const int64_t* dims, void* scratch, Member*);
  virtual MemberEntry member_entry() const = 0;
  /// Makes the packed copies that the program wants prepared; null if there are none.
  virtual Entry freeze_entry() const = 0;
  /// The same of the program for several threads: a member's part of them, for which it waits for nobody.
  virtual MemberEntry member_freeze_entry() const = 0;
};

/// The machine code of one loop program, and of one for several threads that does the same (null: none), as
/// an object file.
std::string compile_object(const ir::LoopProgram&, const ir::LoopProgram* together, const Target&,
                           const CompileOptions&, CompileTimes&);
/// Loads what compile_object gave for the host.
std::unique_ptr<NativeCode> load_object(std::string_view object);
/// The two after each other.
std::unique_ptr<NativeCode> jit(const ir::LoopProgram&, const Target&,
                                const ir::LoopProgram* together = nullptr);

/// The symbols that the program's object file expects from elsewhere; there are to be none.
std::vector<std::string> undefined_symbols(const ir::LoopProgram&, const Target&);

}  // namespace rondo::codegen
