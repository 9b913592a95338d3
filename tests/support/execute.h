// Calls compiled code on the evaluator's arrays.
#pragma once

#include <span>
#include <vector>

#include "ir/evaluator.h"
#include "runtime/executable.h"

namespace rondo::test {

/// Converts the inputs to the compiled function's own types, calls it, and converts the outputs back. Aliased arguments share memory.
std::vector<ir::Array> execute(const Executable& code, std::span<const ir::Array> inputs,
                               std::span<const std::vector<int64_t>> output_shapes, const ir::DimValues& dims);

/// How far compiled code may be from the f64 evaluator: rounding in the function's least precise float type.
double tolerance(const ir::Func& func);

}  // namespace rondo::test
