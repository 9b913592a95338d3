// Copies a function with its scans replaced.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "ir/builder.h"

namespace rondo::passes {

/// Emits what replaces the scan `op`, over operands of the builder; returns one value for each of its
/// results. The body of `op` is rewritten already.
using ScanRewrite = std::function<std::vector<ir::Value>(ir::Builder&, const ir::Func& func, const ir::Op& op,
                                                         std::vector<ir::Value> operands)>;

/// A copy of func, bodies included, with every scan replaced; inner scans first. Scans with lengths stay, and
/// scans of windows unless `windows` says that `rewrite` knows of them.
ir::Func rewrite_scans(const ir::Func& func, const ScanRewrite& rewrite, bool windows = false);

}  // namespace rondo::passes
