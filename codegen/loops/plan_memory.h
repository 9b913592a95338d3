// The only owner of memory: gives every scratch buffer its place in the arena.
#pragma once

#include "ir/loops.h"

namespace rondo::codegen {

/// The slots of the arena.
struct MemoryPlan {
  std::vector<ir::Poly> slots;    // bytes
  std::vector<uint32_t> slot_of;  // per buffer; kNone: it has none
};

/// The plan if each buffer b stood in buffer hosts[b], which is its own host.
MemoryPlan plan_slots(const ir::LoopProgram&, const std::vector<ir::BufferId>& hosts);

/// Buffers whose lives do not overlap share slots. A buffer lives from its first to its last use; one that is
/// used in and outside of a loop, throughout the loop. Buffers without uses get none.
void plan_memory(ir::LoopProgram&);

/// Bytes of the arena with these dims: the sum of the slots, each rounded up to 64.
int64_t arena_bytes(const std::vector<ir::Poly>& slots, const ir::DimValues&);
int64_t scratch_bytes(const ir::LoopProgram&, const ir::DimValues&);

}  // namespace rondo::codegen
