// Sums of columns, as gradients of gains and biases are, taken row by row.
#pragma once

#include <functional>
#include <vector>

#include "codegen/loops/program_builder.h"

namespace rondo::codegen {

/// Whether a kernel is sums over these rows, each a chain, at every column.
bool sums_columns(const ir::Kernel&, const std::vector<ir::Poly>& rows);

/// A kernel of such sums as three. The one in the middle is over all rows and columns and adds a row to sums
/// that stand in memory, which the first one starts and the last one reads. The order of the terms stays.
struct ColumnSums {
  ir::Kernel start, add, end;
};
ColumnSums part_column_sums(ProgramBuilder&, const ir::Kernel&);

/// The kernel of a row that adds it to sums of columns as one of so many rows: `stride_of_row` of an access.
ir::Kernel over_summed_rows(ir::Kernel, int64_t rows,
                            const std::function<ir::Poly(const ir::Access&)>& stride_of_row);
/// Whether it is such a kernel.
bool adds_to_columns(const ir::Kernel&);

}  // namespace rondo::codegen
