// Packs matrices that stand side by side only to be multiplied from where they are.
#pragma once

#include <vector>

#include "ir/loops.h"
#include "runtime/executable.h"

namespace rondo::codegen {

/// The matrices of a user's gates are copied side by side, as the gradients of the gates are one product.
/// Where all that reads the copy reads it packed, what fills the packed copies reads the matrices themselves,
/// and code leaves out the copying.
///
/// Of a scheduled program for one thread.
void pack_parts(ir::LoopProgram&, const std::vector<Signature::Alias>&);

}  // namespace rondo::codegen
