#include "frontend/ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "frontend/region.h"
#include "support/error.h"

namespace rondo {
namespace {

using ir::Builder;
using ir::OpKind;
using Values = std::vector<ir::Value>;

int64_t normalize(int64_t axis, int rank, const Tensor& x, Where where) {
  if (axis < -rank || axis >= rank)
    fail(fmt::format("{} has no axis {}", ir::to_string(x.type()), axis), where);
  return axis < 0 ? axis + rank : axis;
}

bool is_suffix(const Shape& part, const Shape& whole) {
  return part.size() <= whole.size() && std::equal(part.rbegin(), part.rend(), whole.rbegin());
}

/// Repeats x along the leading dims that it lacks; as it is where its shape is no suffix, for the op's own
/// rule to refuse.
Tensor repeat_leading(const Operand& operand, const Tensor& x, const Shape& shape) {
  if (x.rank() == static_cast<int>(shape.size()) || !is_suffix(x.shape(), shape)) return x;
  return emit(operand.where(), {operand}, [&](Builder& b, const Values& v) {
    std::vector<int64_t> axes;
    for (int i = 0; i < x.rank(); ++i) axes.push_back(static_cast<int64_t>(shape.size()) - x.rank() + i);
    return b.broadcast(v[0], shape, axes);
  });
}

/// An op element by element: numbers and lower ranks take the shape of the operand with the most dims;
/// numbers take the dtype of the last operand that is none (the first operand of select is its condition).
Tensor pointwise(OpKind kind, std::vector<Operand> operands) {
  Type common{Region::current(operands[0].where()).dtype(), {}};
  for (const Operand& operand : operands) {
    if (operand.is_number()) continue;
    Type type = operand.tensor().type();
    if (type.dtype != DType::pred) common.dtype = type.dtype;
    if (type.rank() > common.rank()) common.shape = type.shape;
  }
  const Where where = operands[0].where();
  for (Operand& operand : operands) {
    Tensor x = operand.is_number() ? constant(operand.number(), common, operand.where())
                                   : repeat_leading(operand, operand.tensor(), common.shape);
    operand = Operand(x, operand.where());
  }
  return emit(where, operands, [&](Builder& b, const Values& v) { return b.emit(kind, v); });
}

}  // namespace

Tensor constant(double number, const Type& type, Where where) {
  return emit(where, {}, [&](Builder& b, const Values&) { return b.constant(type, number); });
}

Tensor constant(double number, Shape shape, Where where) {
  return constant(number, Type{Region::current(where).dtype(), std::move(shape)}, where);
}

Tensor iota(Shape shape, int64_t axis, Where where) {
  const int64_t from_first = axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis;
  return emit(where, {}, [&](Builder& b, const Values&) { return b.iota({DType::i32, shape}, from_first); });
}

Tensor size(const Dim& dim, Where where) {
  const DType dtype = Region::current(where).dtype();
  return emit(where, {}, [&](Builder& b, const Values&) { return b.size(dim, dtype); });
}

Tensor random_uniform(Operand seed, Operand count, Shape shape) {
  const Type type{Region::current(seed.where()).dtype(), std::move(shape)};
  return emit(seed.where(), {cast(seed, i32), cast(count, i32)},
              [&](Builder& b, const Values& v) { return b.random(v[0], v[1], type); });
}

Tensor operator+(Operand a, Operand b) { return pointwise(OpKind::add, {a, b}); }
Tensor operator-(Operand a, Operand b) { return pointwise(OpKind::sub, {a, b}); }
Tensor operator*(Operand a, Operand b) { return pointwise(OpKind::mul, {a, b}); }
Tensor operator/(Operand a, Operand b) { return pointwise(OpKind::div, {a, b}); }
Tensor operator-(Operand a) { return pointwise(OpKind::neg, {a}); }

Tensor exp(Operand x) { return pointwise(OpKind::exp, {x}); }
Tensor log(Operand x) { return pointwise(OpKind::log, {x}); }
Tensor tanh(Operand x) { return pointwise(OpKind::tanh, {x}); }
Tensor sigmoid(Operand x) { return pointwise(OpKind::sigmoid, {x}); }
Tensor sqrt(Operand x) { return pointwise(OpKind::sqrt, {x}); }
Tensor rsqrt(Operand x) { return pointwise(OpKind::rsqrt, {x}); }
Tensor abs(Operand x) { return pointwise(OpKind::abs, {x}); }
Tensor cos(Operand x) { return pointwise(OpKind::cos, {x}); }
Tensor floor(Operand x) { return pointwise(OpKind::floor, {x}); }
Tensor relu(Operand x) { return pointwise(OpKind::max, {x, Operand(0, x.where())}); }
Tensor square(Operand x) { return pointwise(OpKind::mul, {x, x}); }
Tensor detach(Operand x) { return pointwise(OpKind::detach, {x}); }

Tensor cast(Operand x, DType dtype) {
  return emit(x.where(), {x}, [&](Builder& b, const Values& v) { return b.cast(v[0], dtype); });
}

Tensor max(Operand a, Operand b) { return pointwise(OpKind::max, {a, b}); }
Tensor min(Operand a, Operand b) { return pointwise(OpKind::min, {a, b}); }
Tensor less(Operand a, Operand b) { return pointwise(OpKind::less, {a, b}); }
Tensor greater(Operand a, Operand b) { return pointwise(OpKind::less, {b, a}); }
Tensor equal(Operand a, Operand b) { return pointwise(OpKind::equal, {a, b}); }
Tensor select(Operand condition, Operand a, Operand b) {
  return pointwise(OpKind::select, {condition, a, b});
}

Tensor reshape(Operand x, Shape shape) {
  return emit(x.where(), {x}, [&](Builder& b, const Values& v) { return b.reshape(v[0], shape); });
}

Tensor transpose(Operand x, std::vector<int64_t> axes) {
  return emit(x.where(), {x}, [&](Builder& b, const Values& v) { return b.transpose(v[0], axes); });
}

Tensor swap_batch_and_time(Operand operand) {
  const Tensor x = operand.tensor();
  if (x.rank() < 2) fail(fmt::format("{} has no batch and time", ir::to_string(x.type())), operand.where());
  std::vector<int64_t> axes(x.rank());
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[0], axes[1]);
  return transpose(operand, axes);
}

Tensor expand(Operand operand, int64_t axis, Dim n) {
  const Tensor x = operand.tensor();
  const int64_t at = normalize(axis, x.rank() + 1, x, operand.where());
  Shape shape = x.shape();
  shape.insert(shape.begin() + at, std::move(n));
  std::vector<int64_t> axes;
  for (int64_t i = 0; i <= x.rank(); ++i)
    if (i != at) axes.push_back(i);
  return emit(operand.where(), {operand},
              [&](Builder& b, const Values& v) { return b.broadcast(v[0], shape, axes); });
}

Tensor expand_like(Operand x, const Tensor& like) {
  Tensor t = x;
  while (t.rank() < like.rank()) t = expand({t, x.where()}, -1, like.dim(t.rank()));
  return t;
}

Tensor slice(Operand operand, int64_t axis, int64_t lo, int64_t hi) {
  const Tensor x = operand.tensor();
  const int64_t at = normalize(axis, x.rank(), x, operand.where());
  return emit(operand.where(), {operand},
              [&](Builder& b, const Values& v) { return b.slice(v[0], at, lo, hi); });
}

Tensor concat(const std::vector<Tensor>& parts, int64_t axis, Where where) {
  if (parts.empty()) fail("concat: no tensors", where);
  const int64_t at = normalize(axis, parts[0].rank(), parts[0], where);
  std::vector<Operand> operands;
  for (const Tensor& part : parts) operands.emplace_back(part, where);
  return emit(where, operands, [&](Builder& b, const Values& v) { return b.concat(v, at); });
}

Tensor stack(const std::vector<Tensor>& parts, int64_t axis, Where where) {
  std::vector<Tensor> expanded;
  for (const Tensor& part : parts) expanded.push_back(expand({part, where}, axis, 1));
  return concat(expanded, axis, where);
}

std::vector<Tensor> split(Operand operand, int64_t parts, int64_t axis) {
  const Tensor x = operand.tensor();
  const Dim& dim = x.dim(axis, operand.where());
  if (dim.is_named() || parts <= 0 || dim.size() % parts)
    fail(fmt::format("split: {}: axis {} has no {} equal parts", ir::to_string(x.type()), axis, parts),
         operand.where());
  const int64_t width = dim.size() / parts;
  std::vector<Tensor> result;
  for (int64_t i = 0; i < parts; ++i) result.push_back(slice(operand, axis, i * width, (i + 1) * width));
  return result;
}

Tensor matmul(Operand x, Operand y, MatmulOptions options) {
  return emit(x.where(), {x, y},
              [&](Builder& b, const Values& v) { return b.matmul(v[0], v[1], options.ta, options.tb); });
}

std::vector<int64_t> Axes::of(const Tensor& x, Where where) const {
  std::vector<int64_t> axes;
  if (all_) {
    for (int i = 0; i < x.rank(); ++i) axes.push_back(i);
    return axes;
  }
  for (int64_t axis : axes_) axes.push_back(normalize(axis, x.rank(), x, where));
  std::sort(axes.begin(), axes.end());
  return axes;
}

Tensor sum(Operand x, Axes axes) {
  const std::vector<int64_t> dropped = axes.of(x, x.where());
  return emit(x.where(), {x}, [&](Builder& b, const Values& v) { return b.reduce_sum(v[0], dropped); });
}

Tensor mean(Operand operand, Axes axes) {
  const Tensor x = operand.tensor();
  Tensor count = constant(1, Type{x.dtype(), {}}, operand.where());
  for (int64_t axis : axes.of(x, operand.where()))
    count = count * cast(size(x.dim(axis), operand.where()), x.dtype());
  return sum(operand, axes) / count;
}

Tensor reduce_max(Operand x, Axes axes) {
  const std::vector<int64_t> dropped = axes.of(x, x.where());
  return emit(x.where(), {x}, [&](Builder& b, const Values& v) { return b.reduce_max(v[0], dropped); });
}

Tensor argmax(Operand operand, int64_t axis) {
  const Tensor x = operand.tensor();
  const int64_t at = normalize(axis, x.rank(), x, operand.where());
  return emit(operand.where(), {operand}, [&](Builder& b, const Values& v) { return b.argmax(v[0], at); });
}

Tensor gather(Operand table, Operand ids) {
  return emit(table.where(), {table, ids}, [](Builder& b, const Values& v) { return b.gather(v[0], v[1]); });
}

Tensor check_ids(Operand ids, Dim count, int32_t from) {
  return emit(ids.where(), {ids},
              [&](ir::Builder& b, const auto& v) { return b.in_range(v[0], std::move(count), 0, from); });
}

Tensor one_hot(Operand ids, int64_t n) {
  const Tensor repeated = expand({check_ids(ids, n), ids.where()}, -1, n);
  return select(equal({repeated, ids.where()}, iota(repeated.shape(), -1)), ones(repeated.shape()), 0);
}

// With m the largest element: log sum exp x = m + log sum exp(x - m), where no exp overflows. The result does
// not depend on m, so m is a constant for the gradient.
Tensor logsumexp(Operand operand, int64_t axis) {
  const Tensor x = operand.tensor();
  const Tensor m = detach(reduce_max(operand, axis));
  return m + log(sum(exp(x - expand(m, axis, x.dim(axis))), axis));
}

Tensor softmax(Operand operand, int64_t axis) {
  const Tensor x = operand.tensor();
  const Tensor m = detach(reduce_max(operand, axis));
  const Tensor e = exp(x - expand(m, axis, x.dim(axis)));
  return e / expand(sum(e, axis), axis, x.dim(axis));
}

Tensor log_softmax(Operand operand, int64_t axis) {
  const Tensor x = operand.tensor();
  return x - expand(logsumexp(operand, axis), axis, x.dim(axis));
}

}  // namespace rondo
