// Loop program -> LLVM IR.
#pragma once

#include "codegen/llvm/values.h"
#include "codegen/loops/step_runs.h"

namespace rondo::codegen {

/// Adds the program's functions to the module; the entry has the given name, each kernel a function of its
/// own.
void emit_program(llvm::Module&, const ir::LoopProgram&, const Target&, const std::string& entry);

/// Loops over the kernel's dims, one of them, or the reduced one, in lanes.
void emit_vector_kernel(FunctionBuilder&, const ir::Kernel&);
/// A loop that may run by points, in that way; and whether its points are so few that this is faster.
void emit_point_loop(FunctionBuilder&, const ir::Loop&);
llvm::Value* few_points(FunctionBuilder&, const ir::Loop&);
/// Register tiles over rows and columns; see schedule_gemm.h. While they sum they ask for `ahead`.
void emit_gemm_kernel(FunctionBuilder&, const ir::Kernel&, const std::vector<Run>& ahead);
void emit_row_kernel(FunctionBuilder&, const ir::Kernel&);
void emit_pack(FunctionBuilder&, const ir::Pack&);

/// The lanes in which a kernel runs over its last dim: as many as a vector of a sum in lanes has, fewer for
/// doubles and for few columns.
unsigned full_lanes(const ir::Kernel&);
/// Calls visit(first, lanes, mask) for runs of lanes that cover [0, extent), of the given widths, which fall:
/// whole ones, then what is left with a mask.
void for_lanes(FunctionBuilder&, const ir::Poly& extent, std::span<const unsigned> widths,
               const std::function<void(llvm::Value* first, unsigned lanes, llvm::Value* mask)>& visit);

/// The product of one row, of a matrix that is packed and larger than the first cache, that follows a loop
/// over rows in a step of another loop.
struct NextProduct {
  const ir::Kernel* kernel = nullptr;  // null: none
  ir::LoopId loop = 0;
  bool next_step = false;  // it follows at the loop's next step
};

/// Runs all kernels of each row before those of the next one.
/// `share`: of the rows, the thread's, which the loop of this level of the nest has; null: all.
void emit_rows(FunctionBuilder&, const ir::Loop&, const Share* share, const NextProduct&, uint32_t level = 0);

}  // namespace rondo::codegen
