// What must hold of the numbers in inputs, for a function to be called.
#pragma once

#include <vector>

#include "ir/func.h"
#include "ir/loops.h"

namespace rondo::ir {

/// Bounds of the i32 inputs that index rows, or that `in_range` names, as they are or after ops that only
/// move elements (a gather of rows among them), in the bodies of scans too. Indices that are computed have no
/// bound here: compiled code takes the nearest row.
std::vector<IndexBound> index_bounds(const Func&);

}  // namespace rondo::ir
