// Compares the gradient of a function with central differences of the evaluator.
#pragma once

#include <string_view>

#include "ir/evaluator.h"
#include "ir/func.h"

namespace rondo::test {

/// The function of one float scalar that the text describes; f64 everywhere, so that differences are
/// accurate. Checks d result 0 / d every element of every float param. Returns the largest |gradient -
/// difference| / max(1, |difference|).
double gradient_error(const ir::Func& func, const ir::DimValues& dims, uint64_t seed = 1);

/// The results of func, then its gradients, of random inputs.
std::vector<ir::Array> gradients(const ir::Func& func, const ir::DimValues& dims, uint64_t seed = 1);

}  // namespace rondo::test
