#include "frontend/import/onnx_shapes.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "frontend/import/onnx_importer.h"
#include "frontend/region.h"

namespace rondo::onnx {
namespace {

bool is_one(const Dim& dim) { return !dim.is_named() && dim.size() == 1; }

Tensor emit_on(const Tensor& x, const EmitOps& ops) { return emit(Where::here(), {x}, ops); }

}  // namespace

Shape broadcast_shape(const Call& call, const Shape& a, const Shape& b) {
  Shape shape = a.size() < b.size() ? b : a;
  const Shape& shorter = a.size() < b.size() ? a : b;
  const size_t offset = shape.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    Dim& dim = shape[offset + i];
    if (is_one(dim)) {
      dim = shorter[i];
    } else if (!is_one(shorter[i]) && shorter[i] != dim) {
      call.fail(fmt::format("shapes {} and {} do not go together", to_string(a), to_string(b)));
    }
  }
  return shape;
}

std::vector<int64_t> axes_of(const Call& c, int64_t input_since, int64_t rank) {
  std::vector<int64_t> axes;
  if (c.opset() < input_since) {
    axes = c.integers("axes");
  } else if (c.has(1)) {
    axes = c.integers(1);
  }
  for (int64_t& axis : axes) axis = c.axis(axis, rank);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) c.fail("an axis stands twice");
  return axes;
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int64_t offset = static_cast<int64_t>(shape.size()) - x.rank();
  Shape kept;
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < x.rank(); ++i) {
    if (is_one(x.shape()[i])) continue;
    kept.push_back(x.shape()[i]);
    axes.push_back(offset + i);
  }
  return emit_on(reshape(x, kept),
                 [&](ir::Builder& b, const auto& v) { return b.broadcast(v[0], shape, axes); });
}

Tensor broadcast_input(const Call& call, size_t i, const Shape& shape) {
  const ir::Array* array = call.constant(i);
  if (!array || array->data.empty() || !is_uniform(*array)) return broadcast_to(call.tensor(i), shape);
  return constant(array->data[0], Type{array->dtype, shape});
}

Factor factor_of(const Call& call, size_t input, int64_t rows, int64_t cols, int64_t i) {
  const Value& value = call.value(input);
  Importer& importer = call.importer();
  if (const Constant* constant = std::get_if<Constant>(&value))
    return {importer.tensor(importer.constants().transposed(*constant, rows, cols, i), call.where()), true};
  const Tensor all = call.tensor(input);
  int64_t count = 1;
  for (const Dim& dim : all.shape()) count *= dim.size();
  const Tensor matrices = reshape(all, {count / (rows * cols), rows, cols});
  return {select_along(matrices, 0, i), false};
}

Tensor take(const Tensor& x, int64_t axis, int64_t first, int64_t step, const Dim& count) {
  const Dim& extent = x.dim(axis);
  if (count == extent && step == 1) return x;
  if (first < 0 && !extent.is_named()) first += extent.size();
  if (step == 1 && !extent.is_named()) return slice(x, axis, first, first + count.size());
  Tensor ids = iota({count}, 0) * static_cast<double>(step) + static_cast<double>(first);
  if (first < 0) ids = ids + cast(size(extent), i32);
  return gather_along(x, ids, axis);
}

std::vector<int64_t> with_axis_first(int64_t rank, int64_t axis) {
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  std::rotate(axes.begin(), axes.begin() + axis, axes.begin() + axis + 1);
  return axes;
}

Tensor gather_along(const Tensor& x, const Tensor& ids, int64_t axis) {
  const Tensor rows = gather(transpose(x, with_axis_first(x.rank(), axis)), ids);  // [ids..., before, after]
  std::vector<int64_t> order(rows.rank());
  std::iota(order.begin(), order.end(), 0);
  std::rotate(order.begin(), order.begin() + ids.rank(), order.begin() + ids.rank() + axis);
  return transpose(rows, order);
}

Tensor select_along(const Tensor& x, int64_t axis, int64_t i) {
  return without_axes(take(x, axis, i, 1, 1), {axis});
}

Tensor pad_with_zeros(const Tensor& x, int64_t axis, int64_t before, int64_t after) {
  if (before == 0 && after == 0) return x;
  return emit_on(x, [&](ir::Builder& b, const auto& v) { return b.pad(v[0], axis, before, after); });
}

Tensor without_axes(const Tensor& x, const std::vector<int64_t>& axes) {
  Shape shape;
  for (int64_t i = 0; i < x.rank(); ++i)
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) shape.push_back(x.shape()[i]);
  return reshape(x, shape);
}

Tensor with_axes(const Tensor& x, std::vector<int64_t> axes) {
  std::sort(axes.begin(), axes.end());
  Shape shape = x.shape();
  for (int64_t axis : axes) shape.insert(shape.begin() + axis, Dim(1));
  return reshape(x, shape);
}

Tensor sum_over(const Tensor& x, const std::vector<int64_t>& axes) {
  return emit_on(x, [&](ir::Builder& b, const auto& v) { return b.reduce_sum(v[0], axes); });
}

Tensor max_over(const Tensor& x, const std::vector<int64_t>& axes) {
  return emit_on(x, [&](ir::Builder& b, const auto& v) { return b.reduce_max(v[0], axes); });
}

Tensor count_of(const Tensor& x, const std::vector<int64_t>& axes) {
  Tensor count = constant(1, Type{x.dtype(), {}});
  for (int64_t axis : axes) count = count * cast(size(x.dim(axis)), x.dtype());
  return count;
}

}  // namespace rondo::onnx
