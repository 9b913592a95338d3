// The order of what a region is lowered to.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/lowering/placement.h"
#include "ir/func.h"

namespace rondo::codegen {

/// The statements of a region, each after those that it reads, and else as the ops stand: k is the kernel of
/// that number, plan.kernels + i is op i if it is a scan or placed, and nothing if not. in_loop: the region
/// is a step; what only its next ones read, as sums are that grow, follows what it is made of.
std::vector<uint32_t> order_of(const ir::Func& region, const Placement& plan, bool in_loop);

}  // namespace rondo::codegen
