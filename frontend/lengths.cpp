#include "frontend/lengths.h"

#include <limits>

#include "frontend/region.h"

namespace rondo {
namespace {

Tensor mask_like(const Tensor& xs, Operand lengths) { return expand_like(mask_of(lengths, xs.dim(0)), xs); }

}  // namespace

Tensor check_lengths(Operand lengths, const Dim& steps) {
  return emit(lengths.where(), {lengths}, [&](ir::Builder& b, const auto& v) {
    return b.in_range(v[0], steps, 1);  // a length may be the number of steps
  });
}

Tensor mask_of(Operand lengths, const Dim& steps) {
  const Tensor rows = expand({check_lengths(lengths, steps), lengths.where()}, 0, steps);
  return less({iota(rows.shape(), 0), lengths.where()}, {rows, lengths.where()});
}

Tensor zero_beyond(Operand xs, Operand lengths) {
  LibraryCall call("zero_beyond", xs.where());
  return select(mask_like(xs, lengths), xs, 0);
}

Tensor mean_over_time(Operand xs, Operand lengths) {
  LibraryCall call("mean_over_time", xs.where());
  const Tensor total = sum(zero_beyond(xs, lengths), 0);
  return total / expand_like(max(cast(lengths, total.dtype()), 1), total);
}

Tensor max_over_time(Operand xs, Operand lengths) {
  LibraryCall call("max_over_time", xs.where());
  const double lowest = -std::numeric_limits<double>::infinity();
  const Tensor largest = reduce_max(select(mask_like(xs, lengths), xs, lowest), 0);
  return select(expand_like(greater(lengths, 0), largest), largest, 0);
}

// rank[b] is the number of rows that stand before row b: the longer ones, and those as long whose index is
// smaller.
SortedRows::SortedRows(Operand lengths) : where_(lengths.where()) {
  LibraryCall call("sorted_rows", where_);
  const Dim rows = lengths.tensor().dim(0, where_);
  const Tensor mine = expand(lengths, 1, rows), other = expand(lengths, 0, rows);
  const Tensor earlier = less(iota(mine.shape(), 1), iota(mine.shape(), 0));
  const Tensor as_long = select(equal(mine, other), cast(earlier, i32), 0);
  rank_ = sum(select(less(mine, other), 1, as_long), 1);
  order_ = emit(where_, {rank_, iota({rows}, 0)}, [&](ir::Builder& b, const auto& v) {
    return b.scatter_add({i32, {rows}}, v[0], v[1]);  // order[rank[b]] = b
  });
  lengths_ = sorted(lengths.tensor());
}

}  // namespace rondo
