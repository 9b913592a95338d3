// Loop program -> LLVM IR.
#pragma once

#include "codegen/llvm_values.h"

namespace rondo::codegen {

/// Adds the program's functions to the module; the entry has the given name, each kernel a function of its
/// own.
void emit_program(llvm::Module&, const ir::LoopProgram&, const Target&, const std::string& entry);

/// Loops over the kernel's dims, one of them, or the reduced one, in lanes.
void emit_vector_kernel(FunctionBuilder&, const ir::Kernel&);
/// Register tiles over rows and columns; see schedule_gemm.h.
void emit_gemm_kernel(FunctionBuilder&, const ir::Kernel&);
void emit_pack(FunctionBuilder&, const ir::Pack&);

}  // namespace rondo::codegen
