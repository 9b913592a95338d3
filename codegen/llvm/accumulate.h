// Code for the accumulators of a kernel.
#pragma once

#include <span>

#include "codegen/llvm/values.h"

namespace rondo::codegen {

/// The values of accumulators over the same dims, in one walk, at the scope's point of the kernel's dims: in
/// as many lanes as the scope has. `sums`: what each starts from, if they are sums that go on.
Values accumulate(FunctionBuilder&, std::span<const ir::Accumulator>, const Scope&, const Values& sums = {});
/// The same at one point, with the last reduced dim in lanes.
Values accumulate_lanes(FunctionBuilder&, std::span<const ir::Accumulator>, const Scope&);

/// Lanes of the vectors of a sum in lanes, whatever the target: half of its partial sums. Two vectors grow
/// side by side.
inline constexpr auto kSumLanes = static_cast<unsigned>(ir::partial_sums(ir::SumOrder::lanes) / 2);
/// Points whose sums in lanes are computed at a time.
inline constexpr unsigned kSumRows = 4;
/// Sums in lanes at so many points, from one on, along the kernel's last dim: each a vector. They do not wait
/// for each other, and share the steps of their trees.
Values sum_rows(FunctionBuilder&, std::span<const ir::Accumulator>, const Values& first);

}  // namespace rondo::codegen
