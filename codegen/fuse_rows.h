// Sums over rows and what follows from them, row by row.
#pragma once

#include <string>
#include <vector>

#include "codegen/lower_region.h"
#include "runtime/executable.h"

namespace rondo::codegen {

/// Kernels that follow each other, sums over the elements of rows among them, and that reach of what they
/// share only elements of their own row become loops over the rows: a row is in registers or in the first
/// cache from its first kernel to its last. Buffers that only one row's kernels use shrink to one row.
/// Of a scheduled program for one thread, before memory is planned.
void fuse_rows(ProgramBuilder&, const std::vector<Signature::Alias>&);

/// What the function of a loop over rows is called.
std::string name_of_rows(const ir::Loop&);

/// The kernels of a row.
const std::vector<ir::Stmt>& row_body(const ir::Loop&);

}  // namespace rondo::codegen
