// The only owner of memory: gives every scratch buffer its place in the arena.
#pragma once

#include "ir/loops.h"

namespace rondo::codegen {

/// Buffers whose lives do not overlap share slots. A buffer lives from its first to its last use; one that is
/// used in and outside of a loop, throughout the loop. Buffers without uses get none.
void plan_memory(ir::LoopProgram&);

/// Bytes of the arena with these dims: the sum of the slots, each rounded up to 64.
int64_t scratch_bytes(const ir::LoopProgram&, const ir::DimValues&);

}  // namespace rondo::codegen
