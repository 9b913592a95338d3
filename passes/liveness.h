// Which values the results of a function need.
#pragma once

#include "ir/func.h"
#include "passes/activity.h"

namespace rondo::passes {

/// For each value of func: whether a result depends on it. Scans count as one op.
Flags live_values(const ir::Func& func);

/// Whether any result of op is flagged.
bool any_result(const ir::Op& op, const Flags& values);

/// For each value of a scan's body: whether it may differ from step to step, as it depends on a carry or an
/// x.
Flags changing_values(const ir::ScanView& scan);

/// For each value of func: whether it is a reduction that is brought back over what it was made of, as the
/// mean of a normalisation is. Who computes it reads a row several times.
Flags normalising_values(const ir::Func& func);

}  // namespace rondo::passes
