// Work for the rows of a batch that take part, and not for those that are past their end.
#pragma once

#include "codegen/loops/program_builder.h"

namespace rondo::codegen {

/// Where a program masks rows by `step < length`, kernels in time loops run over the live rows of the step,
/// kernels and sums over steps and rows run over the live ones of all. What is needed of the others (see
/// RowFacts) a kernel of its own computes from what the mask leaves of it: zeros and copies.
///
/// The bits of live rows stay as they were. Rows need not be sorted, but only where lengths fall is nothing
/// live that is inactive.
void bound_rows(ProgramBuilder&);

}  // namespace rondo::codegen
