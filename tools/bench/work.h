// What a function has to do at least, counted in the tensor IR.
#pragma once

#include "ir/func.h"

namespace rondo::bench {

/// Floating-point operations of all matrix products of a call: two for each multiply-add.
double matmul_flops(const ir::Func& func, const ir::DimValues& dims);

/// Seconds of the products of a call for one row, one after the other: each takes its multiply-adds at so
/// many floating-point operations a second, or the reading of its matrix at so many bytes a second, whichever
/// is longer. Of a function after its passes, which take products out of time.
double seconds_of_one_row(const ir::Func& func, const ir::DimValues& dims, double flops, double bytes);

/// Bytes of matrices that the products of a step read, of the loop that reads most; those of the whole call
/// where no loop has products.
double step_weight_bytes(const ir::Func& func, const ir::DimValues& dims);

/// Bytes of sequences that are computed before the first loop after the loss, and read in it or later: what
/// the gradient needs of the walk forward, and the gradient that enters the loop; of blocks of rows, one's.
/// Of a training step after its passes, whose first result is the loss.
double stash_bytes(const ir::Func& func, const ir::DimValues& dims);

}  // namespace rondo::bench
