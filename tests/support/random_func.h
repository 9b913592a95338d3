// Random valid functions with inputs, from a seed: what the compiler's stages must agree on.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/evaluator.h"
#include "ir/func.h"

namespace rondo::test {

struct RandomFunc {
  ir::Func func;
  ir::DimValues dims;
  std::vector<ir::Array> inputs;
};

/// A function in f64 of about `size` ops: elementwise, movement, gather and scatter, products, reductions,
/// random numbers, and scans (forward, reverse, nested, with and without xs). Values stay small and are
/// compared and rounded only where they are exact, so that all ways of computing it agree closely. The same
/// for the same seed everywhere.
RandomFunc random_func(uint64_t seed, int size = 14);

}  // namespace rondo::test
