// The functions of a library in one LLVM module: entries with their code for each target, and services.
#pragma once

#include <llvm/IR/Module.h>

#include <vector>

#include "codegen/library.h"
#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// What is known once the code is emitted.
struct LibraryFacts {
  std::vector<EntryFacts> entries;  // their stack is not known yet
  int64_t prepared_bytes = 0;
};

LibraryFacts emit_library(llvm::Module&, const Library&, const std::vector<Target>&);

/// An entry's loop program for a target.
ir::LoopProgram lower(const Entry&, const Target&);

}  // namespace rondo::codegen
