// Lets a step overwrite the state that its own products read.
#pragma once

#include <vector>

#include "codegen/target.h"
#include "ir/loops.h"
#include "runtime/executable.h"

namespace rondo::codegen {

/// A step multiplies a row of state and computes the next one from the sums, so that the new elements wait
/// elsewhere, and are copied at the end. Where the row form has the sums of all columns in registers at a
/// time, the kernel can store them over the old ones itself (Schedule::overwritten): the first of them are
/// then there for the next call while the last ones are still computed.
void overwrite_rows(ir::LoopProgram&, const Target&, const std::vector<Signature::Alias>&);

}  // namespace rondo::codegen
