// Deviations from a mean, as layers that normalise compute them.
#pragma once

#include "ir/func.h"

namespace rondo::passes {

/// If v is x less the mean of x along some dims, that x. `kept`: where a broadcast puts the other dims.
ir::Value deviating(const ir::Func&, ir::Value v, const std::vector<int64_t>& kept);

}  // namespace rondo::passes
