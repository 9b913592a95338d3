// Calls compiled code on the evaluator's arrays.
#pragma once

#include <span>
#include <vector>

#include "ir/arrays.h"
#include "ir/evaluator.h"
#include "runtime/executable.h"

namespace rondo::test {

/// Converts the inputs to the compiled function's own types, calls it, and converts the outputs back. Aliased
/// arguments share memory.
std::vector<ir::Array> execute(const Executable& code, std::span<const ir::Array> inputs,
                               std::span<const std::vector<int64_t>> output_shapes,
                               const ir::DimValues& dims);

using ir::tolerance;

}  // namespace rondo::test
