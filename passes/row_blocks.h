// What works on each row of a batch by itself, for a block of rows at a time.
#pragma once

#include <optional>
#include <span>

#include "passes/row_axes.h"
#include "passes/windows.h"

namespace rondo::passes {

/// The function with all that works on rows by themselves as one scan of blocks of rows. What sums over rows
/// is a carry, to which each block adds its sum; what mixes rows stands before the scan or after it. None:
/// one of the `needed` ops can't be in blocks, or what has no rows is known in blocks only, and read outside.
std::optional<ir::Func> run_in_row_blocks(const ir::Func&, const RowAxes&, const Windows& blocks,
                                          std::span<const ir::Op* const> needed);

}  // namespace rondo::passes
