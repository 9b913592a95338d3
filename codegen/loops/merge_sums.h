// Makes one kernel of sums over the same rows, and of products of one row.
#pragma once

#include "ir/loops.h"

namespace rondo::codegen {

/// Kernels one after the other that sum over the same dims for the same points, as the gradients of biases
/// and gains sum over all steps and rows, become one: what several of them read, the walk over the rows reads
/// once. Of products of matrices, those of one row do that do not wait for each other: a step walks their
/// matrices as one. No sum changes its order.
void merge_sums(ir::LoopProgram&);

}  // namespace rondo::codegen
