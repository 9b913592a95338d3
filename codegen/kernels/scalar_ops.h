// What the scalar ops of loop programs compute, in f64.
#pragma once

#include "ir/loops.h"

namespace rondo::codegen {

/// The value of a node whose result depends on its arguments alone: neither a load nor an accumulator, an
/// index or a size. x: its arguments.
double evaluate_scalar(const ir::Node&, const double* x);

}  // namespace rondo::codegen
