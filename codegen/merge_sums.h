// Makes one kernel of sums over the same rows.
#pragma once

#include "ir/loops.h"

namespace rondo::codegen {

/// Kernels one after the other that sum over the same dims for the same points, as the gradients of biases
/// and gains sum over all steps and rows, become one: what several of them read, the walk over the rows reads
/// once. Products of matrices stay as they are. No sum changes its order.
void merge_sums(ir::LoopProgram&);

}  // namespace rondo::codegen
