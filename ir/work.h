// How much a function computes.
#pragma once

#include "ir/func.h"
#include "ir/poly.h"

namespace rondo::ir {

/// The multiply-adds of all matmuls, as often as scans run them. All windows of a scan count as their
/// longest.
Poly multiply_adds(const Func&);

}  // namespace rondo::ir
