// What the op families share: how a type rule rejects, and row-major index arithmetic for the evaluator.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "ir/op_def.h"
#include "support/error.h"

namespace rondo::ir {

using Types = std::vector<Type>;
using TypeSpan = std::span<const Type>;
using Values = std::vector<Value>;

/// Throws Error with the reason only; who calls a type rule adds the op and its operand types.
template <class... Args>
[[noreturn]] void reject(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

inline void require_axis(int64_t axis, const Type& t) {
  if (axis < 0 || axis >= t.rank()) reject("axis {} is not in [0, {})", axis, t.rank());
}

inline void require_float(const Type& t) {
  if (!is_float(t.dtype)) reject("takes f32 or f64, not {}", name_of(t.dtype));
}

inline void require_number(const Type& t) {
  if (t.dtype == DType::pred) reject("takes numbers, not pred");
}

/// Axes are in range and ascend strictly.
inline void require_ascending(const std::vector<int64_t>& axes, const Type& t) {
  for (size_t i = 0; i < axes.size(); ++i) {
    require_axis(axes[i], t);
    if (i && axes[i] <= axes[i - 1]) reject("axes must ascend");
  }
}

inline int64_t checked_extent(int64_t n) {
  if (n < 0 || n > kMaxElements) reject("the extent {} is not in [0, 2^40]", n);
  return n;
}

inline bool contains(const std::vector<int64_t>& axes, int64_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

/// The axes of a tensor of that rank that are not among `axes`.
inline std::vector<int64_t> other_axes(int rank, const std::vector<int64_t>& axes) {
  std::vector<int64_t> others;
  for (int64_t i = 0; i < rank; ++i)
    if (!contains(axes, i)) others.push_back(i);
  return others;
}

inline int64_t count_of(std::span<const int64_t> shape) {
  int64_t n = 1;
  for (int64_t size : shape) n *= size;
  return n;
}

/// The row-major position of an index.
inline int64_t position(std::span<const int64_t> at, std::span<const int64_t> shape) {
  int64_t linear = 0;
  for (size_t i = 0; i < shape.size(); ++i) linear = linear * shape[i] + at[i];
  return linear;
}

/// Calls f with every index of the shape, in row-major order.
template <class F>
void for_each_index(const std::vector<int64_t>& shape, F f) {
  std::vector<int64_t> at(shape.size());
  for (int64_t left = count_of(shape); left > 0; --left) {
    f(std::as_const(at));
    for (size_t d = shape.size(); d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
}

/// How most ops run for all steps of a scan: on operands with one more dim in front.
inline bool with_leading_dim(AllSteps& s) {
  s.stack_all();
  return true;
}

/// How most ops work on rows: all operands have them.
inline std::optional<ByRow> row_by_row(const Func&, const Op& op, int64_t axis) {
  return ByRow{std::vector<int64_t>(op.operands.size(), axis), axis};
}

/// The same for ops along an axis, which must be another one.
inline std::optional<ByRow> beside_axis(const Func& func, const Op& op, int64_t axis) {
  return op.attrs.axis == axis ? std::nullopt : row_by_row(func, op, axis);
}

/// The same for ops whose result lacks some axes of the operand.
inline std::optional<ByRow> beside_axes(const std::vector<int64_t>& lacks, int64_t axis) {
  if (contains(lacks, axis)) return std::nullopt;
  const auto before = std::ranges::count_if(lacks, [&](int64_t a) { return a < axis; });
  return ByRow{{axis}, axis - before};
}

/// For ops whose leading dims are those of the second of two operands, of which there may be none.
inline std::optional<ByRow> rows_of_second(const Func& func, const Op& op, int64_t axis) {
  if (func.type(op.operands[1]).rank() <= axis) return std::nullopt;
  return ByRow{{ByRow::kNone, axis}, axis};
}

/// Wraps to 32 bits, as arithmetic on i32 does.
inline double wrap_i32(int64_t x) { return static_cast<int32_t>(static_cast<uint32_t>(x)); }

}  // namespace rondo::ir
