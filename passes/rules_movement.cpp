// Identities about where elements come from: exact, as no element is computed.
#include <algorithm>
#include <tuple>

#include "passes/rewriter.h"

namespace rondo::passes {

using namespace ir;

namespace {

int64_t extent(const Rewriter& r, Value v, int64_t axis) {
  return r.type(v).shape[static_cast<size_t>(axis)].size();
}

bool is_identity(const std::vector<int64_t>& axes) {
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i] != static_cast<int64_t>(i)) return false;
  return true;
}

Value moved_number(Rewriter& r, const Op& op) {
  const auto x = r.number(op.operands[0]);
  return x ? r.constant(op.attrs.type, *x) : Value{};
}

Value reshape_to_same(Rewriter& r, const Op& op) {
  return r.type(op.operands[0]).shape == op.attrs.type.shape ? op.operands[0] : Value{};
}

Value reshape_of_reshape(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::reshape);
  return inner ? r.reshape(inner->operands[0], op.attrs.type.shape) : Value{};
}

Value identity_transpose(Rewriter&, const Op& op) {
  return is_identity(op.attrs.axes) ? op.operands[0] : Value{};
}

Value transpose_of_number(Rewriter& r, const Op& op) {
  const auto x = r.number(op.operands[0]);
  if (!x) return {};
  Type type = r.type(op.operands[0]);
  const Shape from = type.shape;
  for (size_t i = 0; i < from.size(); ++i) type.shape[i] = from[op.attrs.axes[i]];
  return r.constant(std::move(type), *x);
}

Value transpose_of_transpose(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::transpose);
  if (!inner) return {};
  Attrs a;
  for (int64_t axis : op.attrs.axes) a.axes.push_back(inner->attrs.axes[axis]);
  return r.emit(OpKind::transpose, {inner->operands[0]}, std::move(a));
}

Value broadcast_to_same(Rewriter& r, const Op& op) {
  return r.type(op.operands[0]).shape == op.attrs.type.shape ? op.operands[0] : Value{};
}

Value broadcast_of_broadcast(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::broadcast);
  if (!inner) return {};
  std::vector<int64_t> axes;
  for (int64_t axis : inner->attrs.axes) axes.push_back(op.attrs.axes[axis]);
  return r.broadcast(inner->operands[0], op.attrs.type.shape, std::move(axes));
}

Value slice_of_all(Rewriter& r, const Op& op) {
  const bool all = op.attrs.lo == 0 && op.attrs.hi == extent(r, op.operands[0], op.attrs.axis);
  return all ? op.operands[0] : Value{};
}

Value slice_of_number(Rewriter& r, const Op& op) {
  const auto x = r.number(op.operands[0]);
  if (!x) return {};
  Type type = r.type(op.operands[0]);
  type.shape[op.attrs.axis] = op.attrs.hi - op.attrs.lo;
  return r.constant(std::move(type), *x);
}

Value slice_of_slice(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::slice);
  if (!inner || inner->attrs.axis != op.attrs.axis) return {};
  const int64_t shift = inner->attrs.lo;
  return r.slice(inner->operands[0], op.attrs.axis, op.attrs.lo + shift, op.attrs.hi + shift);
}

Value slice_of_concat(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::concat);
  const auto [axis, lo, hi] = std::tuple(op.attrs.axis, op.attrs.lo, op.attrs.hi);
  if (!inner || inner->attrs.axis != axis || lo == hi) return {};
  const std::vector<int64_t>& ends = r.part_ends(op.operands[0]);
  const size_t first = std::upper_bound(ends.begin(), ends.end(), lo) - ends.begin();
  std::vector<Value> parts;
  for (size_t i = first; i < ends.size() && (i == 0 ? 0 : ends[i - 1]) < hi; ++i) {
    const int64_t begin = i == 0 ? 0 : ends[i - 1];
    const Value part = r.def(op.operands[0])->operands[i];
    parts.push_back(r.slice(part, axis, std::max(lo, begin) - begin, std::min(hi, ends[i]) - begin));
  }
  return r.concat(std::move(parts), axis);
}

Value slice_of_pad(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::pad);
  if (!inner || inner->attrs.axis != op.attrs.axis) return {};
  const Value x = inner->operands[0];
  const int64_t begin = inner->attrs.lo, end = begin + extent(r, x, op.attrs.axis);
  if (begin <= op.attrs.lo && op.attrs.hi <= end)
    return r.slice(x, op.attrs.axis, op.attrs.lo - begin, op.attrs.hi - begin);
  if (op.attrs.hi > begin && op.attrs.lo < end) return {};
  Type type = r.type(x);
  type.shape[op.attrs.axis] = op.attrs.hi - op.attrs.lo;
  return r.constant(std::move(type), 0);
}

Value slice_of_broadcast(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::broadcast);
  if (!inner) return {};
  const std::vector<int64_t> axes = inner->attrs.axes;
  Value x = inner->operands[0];
  Shape shape = inner->attrs.type.shape;
  shape[op.attrs.axis] = op.attrs.hi - op.attrs.lo;
  const auto from = std::find(axes.begin(), axes.end(), op.attrs.axis);
  if (from != axes.end()) x = r.slice(x, from - axes.begin(), op.attrs.lo, op.attrs.hi);
  return r.broadcast(x, std::move(shape), axes);
}

Value pad_by_nothing(Rewriter&, const Op& op) {
  return op.attrs.lo == 0 && op.attrs.hi == 0 ? op.operands[0] : Value{};
}

Value pad_of_zeros(Rewriter& r, const Op& op) {
  if (!r.is_number(op.operands[0], 0)) return {};
  Type type = r.type(op.operands[0]);
  type.shape[op.attrs.axis] = extent(r, op.operands[0], op.attrs.axis) + op.attrs.lo + op.attrs.hi;
  return r.constant(std::move(type), 0);
}

Value pad_of_pad(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::pad);
  if (!inner || inner->attrs.axis != op.attrs.axis) return {};
  return r.pad(inner->operands[0], op.attrs.axis, op.attrs.lo + inner->attrs.lo,
               op.attrs.hi + inner->attrs.hi);
}

/// Parts of a concat after: flat, without empty ones, and with neighbours joined that are slices of one
/// value, or numbers.
std::vector<Value> joined_parts(Rewriter& r, const Op& op) {
  const int64_t axis = op.attrs.axis;
  std::vector<Value> flat;
  for (Value part : op.operands) {
    const Op* inner = r.def(part, OpKind::concat);
    if (inner && inner->attrs.axis == axis)
      flat.insert(flat.end(), inner->operands.begin(), inner->operands.end());
    else if (extent(r, part, axis) > 0)
      flat.push_back(part);
  }
  std::vector<Value> parts;
  for (size_t i = 0; i < flat.size();) {
    size_t next = i + 1;
    const auto x = r.number(flat[i]);
    const Op* first = r.def(flat[i], OpKind::slice);
    if (x) {
      Type type = r.type(flat[i]);
      int64_t n = type.shape[axis].size();
      while (next < flat.size() && r.is_number(flat[next], *x)) n += extent(r, flat[next++], axis);
      type.shape[axis] = n;
      parts.push_back(next == i + 1 ? flat[i] : r.constant(std::move(type), *x));
    } else if (first && first->attrs.axis == axis) {
      const Value whole = first->operands[0];
      const int64_t lo = first->attrs.lo;
      int64_t hi = first->attrs.hi;
      for (; next < flat.size(); ++next) {
        const Op* slice = r.def(flat[next], OpKind::slice);
        if (!slice || slice->operands[0] != whole || slice->attrs.axis != axis || slice->attrs.lo != hi)
          break;
        hi = slice->attrs.hi;
      }
      parts.push_back(next == i + 1 ? flat[i] : r.slice(whole, axis, lo, hi));
    } else {
      parts.push_back(flat[i]);
    }
    i = next;
  }
  return parts;
}

Value concat_of_joinable(Rewriter& r, const Op& op) {
  std::vector<Value> parts = joined_parts(r, op);
  if (parts.empty()) return op.operands[0];  // all are empty
  if (parts.size() == 1) return parts[0];
  return parts == op.operands ? Value{} : r.concat(std::move(parts), op.attrs.axis);
}

/// matmul knows transposed matrices: no transpose is needed around it.
Value matmul_of_transpose(Rewriter& r, const Op& op) {
  const Op* left = r.type(op.operands[0]).rank() == 2 ? r.def(op.operands[0], OpKind::transpose) : nullptr;
  const Op* right = op.attrs.ta ? nullptr : r.def(op.operands[1], OpKind::transpose);
  Attrs a = op.attrs;
  if (right) {
    a.tb = !a.tb;
    return r.emit(OpKind::matmul, {op.operands[0], right->operands[0]}, std::move(a));
  }
  if (!left || op.attrs.tb) return {};
  a.ta = !a.ta;
  return r.emit(OpKind::matmul, {left->operands[0], op.operands[1]}, std::move(a));
}

Value reduce_of_nothing(Rewriter& r, const Op& op) {
  const Shape& from = r.type(op.operands[0]).shape;
  for (int64_t axis : op.attrs.axes)
    if (from[axis] != Dim(1)) return {};
  Shape shape;
  for (size_t i = 0; i < from.size(); ++i)
    if (std::find(op.attrs.axes.begin(), op.attrs.axes.end(), static_cast<int64_t>(i)) == op.attrs.axes.end())
      shape.push_back(from[i]);
  return r.reshape(op.operands[0], std::move(shape));
}

/// The dims of `from` that `to` keeps, if it lacks dims of 1 only; and those that it lacks.
bool drops_ones(const Shape& from, const Shape& to, std::vector<int64_t>& kept,
                std::vector<int64_t>& dropped) {
  for (size_t i = 0; i < from.size(); ++i) {
    const bool keeps = kept.size() < to.size() && from[i] == to[kept.size()];
    if (!keeps && from[i] != Dim(1)) return false;
    (keeps ? kept : dropped).push_back(static_cast<int64_t>(i));
  }
  return kept.size() == to.size();
}

/// A sum along rows has lanes, and so another order.
Value sum_of_reshape(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::reshape);
  if (!inner || std::ranges::count(op.attrs.axes, static_cast<int64_t>(r.type(op.operands[0]).rank()) - 1))
    return {};
  const Value x = inner->operands[0];
  std::vector<int64_t> kept, axes;
  if (!drops_ones(r.type(x).shape, r.type(op.operands[0]).shape, kept, axes)) return {};
  if (kept.empty() || kept.back() + 1 != static_cast<int64_t>(r.type(x).rank())) return {};
  for (int64_t axis : op.attrs.axes) axes.push_back(kept[static_cast<size_t>(axis)]);
  std::ranges::sort(axes);
  Attrs a = op.attrs;
  a.axes = std::move(axes);
  return r.emit(OpKind::reduce_sum, {x}, std::move(a));
}

constexpr NamedRule kRules[] = {
    {OpKind::reshape, "a reshape to the same shape", reshape_to_same},
    {OpKind::reshape, "a reshape of a number", moved_number},
    {OpKind::reshape, "a reshape of a reshape", reshape_of_reshape},
    {OpKind::transpose, "a transpose that keeps the order", identity_transpose},
    {OpKind::transpose, "a transpose of a number", transpose_of_number},
    {OpKind::transpose, "a transpose of a transpose", transpose_of_transpose},
    {OpKind::broadcast, "a broadcast to the same shape", broadcast_to_same},
    {OpKind::broadcast, "a broadcast of a number", moved_number},
    {OpKind::broadcast, "a broadcast of a broadcast", broadcast_of_broadcast},
    {OpKind::slice, "a slice of everything", slice_of_all},
    {OpKind::slice, "a slice of a number", slice_of_number},
    {OpKind::slice, "a slice of a slice", slice_of_slice},
    {OpKind::slice, "a slice of a concat", slice_of_concat},
    {OpKind::slice, "a slice of a pad", slice_of_pad},
    {OpKind::slice, "a slice of a broadcast", slice_of_broadcast},
    {OpKind::pad, "a pad by nothing", pad_by_nothing},
    {OpKind::pad, "a pad of zeros", pad_of_zeros},
    {OpKind::pad, "a pad of a pad", pad_of_pad},
    {OpKind::concat, "a concat of neighbours, of one part, of concats", concat_of_joinable},
    {OpKind::matmul, "a matmul of a transpose", matmul_of_transpose},
    {OpKind::reduce_sum, "a sum over dims of 1", reduce_of_nothing},
    {OpKind::reduce_sum, "a sum of a reshape without dims of 1", sum_of_reshape},
    {OpKind::reduce_max, "a maximum over dims of 1", reduce_of_nothing},
};

}  // namespace

std::span<const NamedRule> movement_rules() { return kRules; }

}  // namespace rondo::passes
