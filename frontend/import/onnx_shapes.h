// What ops of ONNX need besides the DSL's: broadcasting of both sides, and parts of tensors along an axis.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/import/onnx_ops.h"
#include "frontend/ops.h"

namespace rondo::onnx {

/// The shape of two operands together: dims from the last on are equal, or one of them is 1 or missing.
Shape broadcast_shape(const Call& call, const Shape& a, const Shape& b);
/// The axes of a node, from 0 and sorted: input 1 since that opset, the attribute axes before; none if
/// neither is given.
std::vector<int64_t> axes_of(const Call& call, int64_t input_since, int64_t rank);
/// x, repeated where it has a 1 or no dim.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// An input of the call in that shape; a constant of one number as such.
Tensor broadcast_input(const Call& call, size_t i, const Shape& shape);

/// A matrix [rows,cols] for products with its transpose.
struct Factor {
  Tensor matrix;
  bool transposed;  // it is held as [cols,rows]

  /// x [..., cols] becomes [..., rows].
  Tensor times(const Tensor& x) const { return matmul(x, matrix, {.tb = !transposed}); }
  Factor rows(int64_t from, int64_t to) const {
    return {slice(matrix, transposed ? 1 : 0, from, to), transposed};
  }
};
/// Matrix number i of the input's elements. A constant is transposed here: code for single steps would have
/// to do it at every call.
Factor factor_of(const Call& call, size_t input, int64_t rows, int64_t cols, int64_t i);

/// The elements first, first + step, ... along an axis, `count` of them. `first` counts from the end of the
/// axis where it is negative.
Tensor take(const Tensor& x, int64_t axis, int64_t first, int64_t step, const Dim& count);
/// x with the dims of ids in place of the axis, along which they are indices.
Tensor gather_along(const Tensor& x, const Tensor& ids, int64_t axis);
/// Element i along the axis, which is dropped.
Tensor select_along(const Tensor& x, int64_t axis, int64_t i);
/// For transpose: the axis becomes the first one.
std::vector<int64_t> with_axis_first(int64_t rank, int64_t axis);
/// x with so many zeros before and after along the axis.
Tensor pad_with_zeros(const Tensor& x, int64_t axis, int64_t before, int64_t after);
/// Without these axes, or with axes of 1 where they are in the result.
Tensor without_axes(const Tensor& x, const std::vector<int64_t>& axes);
Tensor with_axes(const Tensor& x, std::vector<int64_t> axes);
/// The sum, or the maximum, over axes, which are dropped.
Tensor sum_over(const Tensor& x, const std::vector<int64_t>& axes);
Tensor max_over(const Tensor& x, const std::vector<int64_t>& axes);
/// How many elements there are along the axes, as a scalar of this dtype.
Tensor count_of(const Tensor& x, const std::vector<int64_t>& axes);

}  // namespace rondo::onnx
