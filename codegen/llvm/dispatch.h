// Which of several x86-64 levels the CPU has, asked by the code itself.
#pragma once

#include <llvm/IR/Module.h>

#include <string>

#include "codegen/target.h"

namespace rondo::codegen {

/// Adds int32_t name(): the level of x86-64 that CPU and system have, 1 to 4. It asks once and remembers;
/// threads that ask at the same time get the same answer.
llvm::Function* emit_cpu_level(llvm::Module&, const Target&, const std::string& name);

}  // namespace rondo::codegen
