// Kernels with fewer and longer loops and the same meaning.
#pragma once

#include <functional>

#include "ir/loops.h"

namespace rondo::codegen {

/// Every access in whose scope the kernel's dims are: of loads, of indices, of stores.
void visit_accesses(ir::Kernel&, const std::function<void(ir::Access&)>& visit);

/// Drops dims of extent 1 and merges neighbouring dims that every access walks as one (stride[i] ==
/// stride[i+1] * extent[i+1]), of the kernel and of its accumulators. With `keep_last` the kernel's last dim
/// stays as it is.
ir::Kernel merge_dims(const ir::Kernel&, bool keep_last);

/// Moves dim `dim` to the end. The points of a kernel without adding stores do not depend on each other, so
/// their order is free.
ir::Kernel move_dim_last(const ir::Kernel&, size_t dim);

/// The dim for the lanes: the one over which most accesses are one element or a run of elements; the last in
/// doubt.
size_t best_lane_dim(const ir::Kernel&);

}  // namespace rondo::codegen
