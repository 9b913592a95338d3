// Memory that a tile of a product will need after its sums.
#pragma once

#include "codegen/llvm_values.h"

namespace rondo::codegen {

/// Asks for what the kernel's own nodes read of the rows and columns that start at `at`, and for what its
/// stores write there.
void prefetch_tile(FunctionBuilder&, const ir::Kernel&, const Values& at, unsigned rows, int64_t columns);

}  // namespace rondo::codegen
