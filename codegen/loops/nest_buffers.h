// Lets buffers of sequences stand in the rows of larger ones.
#pragma once

#include "ir/loops.h"

namespace rondo::codegen {

/// The gates that a step leaves for the gradient take the place of the products that the step reads, and
/// their gradients take the place of the gates: each element is read before the same point of a kernel writes
/// the one that follows it there. A buffer of a sequence, [.., n], so becomes columns of another, [.., m]
/// with m >= n, where no element is read after another one has taken its place, and the whole arena shrinks.
///
/// Only accesses change, and loops that may run by points (point_loops.h) still may.
void nest_buffers(ir::LoopProgram&);

}  // namespace rondo::codegen
