// Right operands of products that are constants, packed while the code is made.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// Whether compiled code may find a group packed: its right operands are whole numbers of elements of
/// constants, and lie at the same place at each step.
bool can_prepare(const ir::Kernel&, uint32_t group, const std::function<bool(ir::BufferId)>& is_constant);

/// The packed right operands of a group that can_prepare, as an emitted Pack would leave them (packed_size in
/// schedule_gemm.h); `data` gives the bytes of a constant.
std::string prepare(const ir::Pack&, const Target&,
                    const std::function<std::span<const std::byte>(ir::BufferId)>& data);

/// The program that makes copies that `program` wants prepared, where its arguments say.
ir::LoopProgram packing(ir::LoopProgram program, const std::vector<ir::Pack>& copies);

/// Whether a program reads a buffer other than through packed copies of it.
bool reads(const ir::LoopProgram&, ir::BufferId);

}  // namespace rondo::codegen
