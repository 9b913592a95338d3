#include "ir/ops/ops.h"
#include "ir/ops/rules.h"

// Ops that only say where elements come from. A view's evaluation and its lowering state the same map of
// indices: of numbers, and of affine functions of the loop variables.

namespace rondo::ir {
namespace {

/// Dims [from0, from1) of the operand become dims [to0, to1) of the result.
struct Regroup {
  size_t from0, from1, to0, to1;
};

/// How a reshape pairs its dims: each named dim with itself, and the runs of numbers between them. Throws
/// Error where they do not fit.
std::vector<Regroup> regroups(const Shape& from, const Shape& to) {
  auto run = [](const Shape& s, size_t& i) {
    int64_t n = 1;
    while (i < s.size() && !s[i].is_named()) n *= s[i++].size();
    return n;
  };
  std::vector<Regroup> groups;
  size_t i = 0, j = 0;
  while (true) {
    Regroup r{i, 0, j, 0};
    const int64_t have = run(from, i), want = run(to, j);
    if (have != want)
      reject("cannot become {}: {} and {} elements between named dims", to_string(to), have, want);
    r.from1 = i, r.to1 = j;
    if (r.from0 != r.from1 || r.to0 != r.to1) groups.push_back(r);
    if (i == from.size() && j == to.size()) return groups;
    if (i == from.size() || j == to.size() || from[i] != to[j])
      reject("cannot become {}: named dims keep their place", to_string(to));
    groups.push_back({i, i + 1, j, j + 1});
    ++i, ++j;
  }
}

/// The operand of a reshape lies contiguous in row-major order. So within a group the row-major index of the
/// result may stand in the last dim of the operand, with 0 in the others, even where it exceeds that dim.
NodeId lower_reshape(ElementBuilder& e, const Func& func, const Op& op, const Indices& at) {
  const Shape& from = func.type(op.operands[0]).shape;
  const Shape& to = op.attrs.type.shape;
  Indices in(from.size());
  for (const Regroup& r : regroups(from, to)) {
    if (r.from0 == r.from1) continue;
    Index linear;
    for (size_t j = r.to0; j < r.to1; ++j) linear = (j > r.to0 ? linear * to[j].size() : linear) + at[j];
    in[r.from1 - 1] = linear;
  }
  return e.element(op.operands[0], in);
}

Types infer_transpose(const Func&, const Op& op, TypeSpan in) {
  const auto& axes = op.attrs.axes;
  if (axes.size() != in[0].shape.size()) reject("{} axes for {} dims", axes.size(), in[0].shape.size());
  std::vector<bool> seen(axes.size());
  Shape shape;
  for (int64_t axis : axes) {
    require_axis(axis, in[0]);
    if (seen[axis]) reject("axis {} stands twice", axis);
    seen[axis] = true;
    shape.push_back(in[0].shape[axis]);
  }
  return {{in[0].dtype, std::move(shape)}};
}

Types infer_broadcast(const Func&, const Op& op, TypeSpan in) {
  const Type& out = op.attrs.type;
  const auto& axes = op.attrs.axes;
  if (axes.size() != in[0].shape.size()) reject("{} axes for {} dims", axes.size(), in[0].shape.size());
  if (out.dtype != in[0].dtype) reject("cannot become {}", to_string(out));
  require_ascending(axes, out);
  for (size_t i = 0; i < axes.size(); ++i)
    if (out.shape[axes[i]] != in[0].shape[i])
      reject("dim {} cannot become dim {} of {}", to_string(in[0].shape[i]), axes[i], to_string(out));
  return {out};
}

/// The extent along the op's axis, which must be a number.
int64_t numeric_extent(const Op& op, const Type& t) {
  require_axis(op.attrs.axis, t);
  const Dim& d = t.shape[op.attrs.axis];
  if (d.is_named()) reject("dim {} has a name, not a number", d.name());
  return d.size();
}

Types infer_slice(const Func&, const Op& op, TypeSpan in) {
  const int64_t n = numeric_extent(op, in[0]);
  if (op.attrs.lo < 0 || op.attrs.lo > op.attrs.hi || op.attrs.hi > n)
    reject("[{}, {}) is not within [0, {})", op.attrs.lo, op.attrs.hi, n);
  Type out = in[0];
  out.shape[op.attrs.axis] = op.attrs.hi - op.attrs.lo;
  return {out};
}

Types infer_pad(const Func&, const Op& op, TypeSpan in) {
  const int64_t n = numeric_extent(op, in[0]);
  Type out = in[0];
  out.shape[op.attrs.axis] = checked_extent(n + checked_extent(op.attrs.lo) + checked_extent(op.attrs.hi));
  return {out};
}

Types infer_concat(const Func&, const Op& op, TypeSpan in) {
  if (in.empty()) reject("takes at least one operand");
  Type out = in[0];
  int64_t n = 0;
  for (const Type& t : in) {
    n = checked_extent(n + numeric_extent(op, t));
    Type rest = t;
    rest.shape[op.attrs.axis] = out.shape[op.attrs.axis];
    if (rest != out) reject("{} and {} differ beside axis {}", to_string(in[0]), to_string(t), op.attrs.axis);
  }
  out.shape[op.attrs.axis] = n;
  return {out};
}

/// Copies an operand to the result, shifted along the op's axis.
void copy_shifted(const EvalContext& c, const Array& from, int64_t shift) {
  Array& out = c.out[0];
  size_t next = 0;
  for_each_index(from.shape, [&](auto at) {
    at[c.op.attrs.axis] += shift;
    out.data[position(at, out.shape)] = from.data[next++];
  });
}

/// For a list of axes that names every dim of the operand: dim 0 is the steps on both sides.
bool with_leading_axis(AllSteps& s) {
  s.stack_all();
  s.attrs.axes.insert(s.attrs.axes.begin(), 0);
  return true;
}

OpDef reshape_op() {
  return {.kind = OpKind::reshape,
          .name = "reshape",
          .arity = 1,
          .cls = OpClass::view,
          .attrs = {Attr::type},
          .infer = [](const Func&, const Op& op, TypeSpan in) -> Types {
            if (op.attrs.type.dtype != in[0].dtype) reject("cannot become {}", to_string(op.attrs.type));
            regroups(in[0].shape, op.attrs.type.shape);
            return {op.attrs.type};
          },
          .eval = [](const EvalContext& c) { c.out[0].data = c.in[0]->data; },
          .grad = [](const GradContext& g) -> Values { return {g.b.reshape(g.d[0], g.in_type(0).shape)}; },
          .vectorize = with_leading_dim,
          .by_row = [](const Func& func, const Op& op, int64_t axis) -> std::optional<ByRow> {
            const Shape &from = func.type(op.operands[0]).shape, &to = op.attrs.type.shape;
            const auto end = axis + 1;  // dims behind it may differ
            if (static_cast<int64_t>(std::min(from.size(), to.size())) < end) return std::nullopt;
            if (!std::equal(to.begin(), to.begin() + end, from.begin())) return std::nullopt;
            return ByRow{{axis}, axis};
          },
          .lower = lower_reshape,
          .elements_of = 0,
          .cheap = true,
          .linear = true};
}

/// Dim i of the result is dim axes[i] of the operand.
OpDef transpose_op() {
  return {.kind = OpKind::transpose,
          .name = "transpose",
          .arity = 1,
          .cls = OpClass::view,
          .attrs = {Attr::axes},
          .infer = infer_transpose,
          .eval =
              [](const EvalContext& c) {
                std::vector<int64_t> from(c.in[0]->shape.size());
                auto out = c.out[0].data.begin();
                for_each_index(c.out[0].shape, [&](const auto& at) {
                  for (size_t i = 0; i < at.size(); ++i) from[c.op.attrs.axes[i]] = at[i];
                  *out++ = c.in[0]->data[position(from, c.in[0]->shape)];
                });
              },
          .grad = [](const GradContext& g) -> Values {
            std::vector<int64_t> inverse(g.op.attrs.axes.size());
            for (size_t i = 0; i < inverse.size(); ++i) inverse[g.op.attrs.axes[i]] = static_cast<int64_t>(i);
            return {g.b.transpose(g.d[0], inverse)};
          },
          .vectorize = with_leading_axis,
          .by_row = [](const Func&, const Op& op, int64_t axis) -> std::optional<ByRow> {
            return ByRow{{op.attrs.axes[axis]}, axis};
          },
          .lower =
              [](ElementBuilder& e, const Func&, const Op& op, const Indices& at) {
                Indices from(at.size());
                for (size_t i = 0; i < at.size(); ++i) from[op.attrs.axes[i]] = at[i];
                return e.element(op.operands[0], from);
              },
          .elements_of = 0,
          .cheap = true,
          .linear = true};
}

/// Dim i of the operand becomes dim axes[i] of the result; along the other dims elements repeat. A dim of 1
/// does not stretch.
OpDef broadcast_op() {
  return {.kind = OpKind::broadcast,
          .name = "broadcast",
          .arity = 1,
          .cls = OpClass::view,
          .attrs = {Attr::axes, Attr::type},
          .infer = infer_broadcast,
          .eval =
              [](const EvalContext& c) {
                std::vector<int64_t> from(c.in[0]->shape.size());
                auto out = c.out[0].data.begin();
                for_each_index(c.out[0].shape, [&](const auto& at) {
                  for (size_t i = 0; i < from.size(); ++i) from[i] = at[c.op.attrs.axes[i]];
                  *out++ = c.in[0]->data[position(from, c.in[0]->shape)];
                });
              },
          .grad = [](const GradContext& g) -> Values {
            return {g.b.reduce_sum(g.d[0], other_axes(g.op.attrs.type.rank(), g.op.attrs.axes))};
          },
          .vectorize = with_leading_axis,
          .by_row = [](const Func&, const Op& op, int64_t axis) -> std::optional<ByRow> {
            const auto at = std::ranges::find(op.attrs.axes, axis);
            return ByRow{{at == op.attrs.axes.end() ? ByRow::kNone : at - op.attrs.axes.begin()}, axis};
          },
          .lower =
              [](ElementBuilder& e, const Func&, const Op& op, const Indices& at) {
                Indices from;
                for (int64_t axis : op.attrs.axes) from.push_back(at[axis]);
                return e.element(op.operands[0], from);
              },
          .elements_of = 0,
          .cheap = true,
          .linear = true};
}

/// Elements [lo, hi) along a numeric axis.
OpDef slice_op() {
  return {.kind = OpKind::slice,
          .name = "slice",
          .arity = 1,
          .cls = OpClass::slice,
          .attrs = {Attr::axis, Attr::lo, Attr::hi},
          .infer = infer_slice,
          .eval =
              [](const EvalContext& c) {
                auto out = c.out[0].data.begin();
                for_each_index(c.out[0].shape, [&](auto at) {
                  at[c.op.attrs.axis] += c.op.attrs.lo;
                  *out++ = c.in[0]->data[position(at, c.in[0]->shape)];
                });
              },
          .grad = [](const GradContext& g) -> Values {
            const Attrs& a = g.op.attrs;
            return {g.b.pad(g.d[0], a.axis, a.lo, g.in_type(0).shape[a.axis].size() - a.hi)};
          },
          .vectorize = with_leading_dim,
          .by_row = beside_axis,
          .lower =
              [](ElementBuilder& e, const Func&, const Op& op, const Indices& at) {
                Indices from = at;
                from[op.attrs.axis] = from[op.attrs.axis] + op.attrs.lo;
                return e.element(op.operands[0], from);
              },
          .elements_of = 0,
          .cheap = true,
          .linear = true};
}

/// lo zeros before and hi zeros after, along a numeric axis.
OpDef pad_op() {
  return {.kind = OpKind::pad,
          .name = "pad",
          .arity = 1,
          .cls = OpClass::placed,
          .attrs = {Attr::axis, Attr::lo, Attr::hi},
          .infer = infer_pad,
          .eval = [](const EvalContext& c) { copy_shifted(c, *c.in[0], c.op.attrs.lo); },
          .grad = [](const GradContext& g) -> Values {
            const Attrs& a = g.op.attrs;
            return {g.b.slice(g.d[0], a.axis, a.lo, a.lo + g.in_type(0).shape[a.axis].size())};
          },
          .vectorize = with_leading_dim,
          .by_row = beside_axis,
          .lower = nullptr,
          .place =
              [](Placer& p, const Func&, const Op& op) {
                p.fill(0);
                p.copy(op.operands[0], op.attrs.axis, op.attrs.lo);
              },
          .elements_of = 0,
          .linear = true};
}

/// One or more operands one after the other, along a numeric axis.
OpDef concat_op() {
  return {.kind = OpKind::concat,
          .name = "concat",
          .arity = -1,
          .cls = OpClass::placed,
          .attrs = {Attr::axis},
          .infer = infer_concat,
          .eval =
              [](const EvalContext& c) {
                int64_t shift = 0;
                for (const Array* part : c.in) {
                  copy_shifted(c, *part, shift);
                  shift += part->shape[c.op.attrs.axis];
                }
              },
          .grad = [](const GradContext& g) -> Values {
            const int64_t axis = g.op.attrs.axis;
            Values parts;
            int64_t shift = 0;
            for (size_t i = 0; i < g.op.operands.size(); ++i) {
              const int64_t n = g.in_type(i).shape[axis].size();
              parts.push_back(g.b.slice(g.d[0], axis, shift, shift + n));
              shift += n;
            }
            return parts;
          },
          .vectorize = with_leading_dim,
          .by_row = beside_axis,
          .lower = nullptr,
          .place =
              [](Placer& p, const Func& func, const Op& op) {
                int64_t shift = 0;
                for (Value part : op.operands) {
                  p.copy(part, op.attrs.axis, shift);
                  shift += func.type(part).shape[op.attrs.axis].size();
                }
              },
          .linear = true};
}

}  // namespace

const std::array<OpDef, kMovementOps>& movement_ops() {
  static const std::array<OpDef, kMovementOps> ops = {reshape_op(), transpose_op(), broadcast_op(),
                                                      slice_op(),   pad_op(),       concat_op()};
  return ops;
}

}  // namespace rondo::ir
