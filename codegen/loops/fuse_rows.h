// Sums over rows and what follows from them, row by row.
#pragma once

#include <string>
#include <vector>

#include "codegen/loops/program_builder.h"
#include "runtime/executable.h"

namespace rondo::codegen {

/// Kernels that follow each other, sums over the elements of rows among them, and that reach of what they
/// share only elements of their own row become loops over the rows: a row is in registers or in the first
/// cache from its first kernel to its last. Buffers that only one row's kernels use shrink to one row.
/// Where there are rows for all of so many threads. Of a scheduled program, before kernels are split and
/// memory is planned.
void fuse_rows(ProgramBuilder&, const std::vector<Signature::Alias>&, int64_t threads);

/// What the function of a loop over rows is called.
std::string name_of_rows(const ir::Loop&);

/// The kernels of a row.
const std::vector<ir::Stmt>& row_body(const ir::Loop&);

/// A kernel of a loop over rows as one over all rows, whose variables are its first. It is split by one of
/// them.
ir::Kernel over_all_rows(const ir::Loop&, const ir::Kernel&);

}  // namespace rondo::codegen
