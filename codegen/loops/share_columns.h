// Keeps the columns that two sequences have in common once.
#pragma once

#include "codegen/loops/program_builder.h"

namespace rondo::codegen {

/// The gates' gradients of a GRU are two sequences, one for the products with the input and one for those
/// with the state, and differ in the candidate's columns only. Where one kernel writes the same numbers to
/// the rows of two sequences, readers of the one take them from the other, and what is left of the first is a
/// sequence of its remaining columns. A kernel whose columns lie in both is split by columns, which changes
/// no sum. One that sums over the columns of the row that the step has written gets a row that lives for the
/// step.
void share_columns(ProgramBuilder&);

}  // namespace rondo::codegen
