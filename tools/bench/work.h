// What a function has to do at least, counted in the tensor IR.
#pragma once

#include "ir/func.h"

namespace rondo::bench {

/// Floating-point operations of all matrix products of a call: two for each multiply-add.
double matmul_flops(const ir::Func& func, const ir::DimValues& dims);

/// Bytes of matrices that the products of a call read as weights: once each, and in a loop of time once a
/// step. Of a function after its passes, which take products out of time.
double weight_bytes(const ir::Func& func, const ir::DimValues& dims);

/// Bytes of sequences that are computed before the first loop after the loss, and read in it or later: what
/// the gradient needs of the walk forward, and the gradient that enters the loop. Of a training step after
/// its passes, whose first result is the loss.
double stash_bytes(const ir::Func& func, const ir::DimValues& dims);

}  // namespace rondo::bench
