// Random inputs for functions, and differences between results: what every comparison with the evaluator
// needs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ir/evaluator.h"
#include "ir/func.h"

namespace rondo::ir {

/// Inputs for all params: floats uniform in [-1, 1], i32 in [0, ids), pred 0 or 1. The same for the same seed
/// everywhere.
std::vector<Array> random_inputs(const Func& func, const DimValues& dims, uint64_t seed, int64_t ids = 3);

/// How many ids from 0 are in range of everything in func that takes ids or lengths; 3 if that is more.
int64_t ids_in_range(const Func& func, const DimValues& dims);

/// The largest |a - b| / max(1, |b|) over all elements, b the reference; infinity where shapes differ or just
/// one of the two is NaN.
double difference(std::span<const Array> a, std::span<const Array> b);

/// How far compiled code may be from the f64 evaluator: rounding in the function's least precise float type.
double tolerance(const Func& func);

std::vector<std::vector<int64_t>> shapes_of(std::span<const Array> arrays);

}  // namespace rondo::ir
