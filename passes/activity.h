// Which values take part in a derivative: those that vary with the inputs of interest and matter to the
// results of interest.
#pragma once

#include <vector>

#include "ir/func.h"

namespace rondo::passes {

/// One flag per value, param, operand or result.
using Flags = std::vector<char>;

/// For each value of func: whether it is a float that depends differentiably on a flagged param.
Flags varied_values(const ir::Func& func, const Flags& params);
/// For each value of func: whether a flagged result depends differentiably on it.
Flags useful_values(const ir::Func& func, const Flags& results);

/// Flags of a scan's body, with the fixed point over its carries: params from the scan's operands, results
/// from its results.
Flags varied_body_params(const ir::ScanView& scan, Flags operands);
Flags useful_body_results(const ir::ScanView& scan, Flags results);

}  // namespace rondo::passes
