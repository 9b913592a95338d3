// How fast one core of the host does each thing that compiled code consists of, measured alone: the best of
// several times.
#pragma once

#include <functional>

#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::bench {

/// Seconds of one, per element of f32.
struct Rates {
  double multiply_add = 0;                      // of independent ones, in vectors
  double multiply_add_latency = 0;              // until the next one may read its sum
  std::function<double(ir::ScalarOp)> stream;   // of independent elements, in vectors
  std::function<double(ir::ScalarOp)> latency;  // until the next one may read its result
  std::function<double(double bytes)> read;     // of a byte, if so many are read again and again
};

/// Functions are measured as code for the target has them, when they are first asked for.
Rates measured_rates(const codegen::Target&);

}  // namespace rondo::bench
