// Scans without what nothing needs.
#pragma once

#include "passes/activity.h"
#include "passes/rewriter.h"

namespace rondo::passes {

/// Emits a scan over operands, and returns its results; those that `live` does not flag may be Value{}.
/// Leaves out ys and carries that no result needs, consts and xs that the body does not read, and duplicates
/// of all of them; carries that never change become consts, and what is known of an operand (a number, the
/// same value at every step) moves into the body.
std::vector<ir::Value> emit_trimmed_scan(Rewriter&, const ir::Func& func, const ir::Op& op,
                                         const std::vector<ir::Value>& operands, const Flags& live);

}  // namespace rondo::passes
