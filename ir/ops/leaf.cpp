#include <cmath>
#include <limits>

#include "ir/ops/ops.h"
#include "ir/ops/rules.h"
#include "support/threefry.h"

namespace rondo::ir {
namespace {

Types infer_const(const Func&, const Op& op, TypeSpan) {
  const double x = op.attrs.number;
  const DType dtype = op.attrs.type.dtype;
  using Limits = std::numeric_limits<int32_t>;
  if (dtype == DType::i32 && !(x == std::trunc(x) && x >= Limits::min() && x <= Limits::max()))
    reject("{} is no i32", x);
  if (dtype == DType::pred && x != 0 && x != 1) reject("a pred is 0 or 1, not {}", x);
  return {op.attrs.type};
}

Types infer_iota(const Func&, const Op& op, TypeSpan) {
  require_number(op.attrs.type);
  require_axis(op.attrs.axis, op.attrs.type);
  return {op.attrs.type};
}

Types infer_size(const Func&, const Op& op, TypeSpan) {
  require_number(op.attrs.type);
  if (op.attrs.type.rank() != 0) reject("the result is a scalar, not {}", to_string(op.attrs.type));
  return {op.attrs.type};
}

Types infer_random(const Func&, const Op& op, TypeSpan in) {
  const Shape &shape = op.attrs.type.shape, &counters = in[1].shape;
  if (in[0] != Type{DType::i32, {}}) reject("the key is i32[], not {}", to_string(in[0]));
  if (in[1].dtype != DType::i32) reject("counters are i32, not {}", name_of(in[1].dtype));
  if (counters.size() > shape.size() || !std::equal(counters.begin(), counters.end(), shape.begin()))
    reject("the result's leading dims are the counters' {}, not those of {}", to_string(counters),
           to_string(op.attrs.type));
  require_float(op.attrs.type);
  return {op.attrs.type};
}

/// The element's row-major position as an i32: affine as long as the inner extents are numbers.
NodeId linear_index(ElementBuilder& e, std::span<const Dim> shape, std::span<const Index> at) {
  Index affine;
  NodeId outer = kNone;  // the part that is scaled by named extents
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i && shape[i].is_named()) {
      NodeId prefix = e.index(DType::i32, affine);
      if (outer != kNone) prefix = e.apply(ScalarOp::add, DType::i32, {outer, prefix});
      outer = e.apply(ScalarOp::mul, DType::i32, {prefix, e.size(DType::i32, shape[i])});
      affine = at[i];
      continue;
    }
    if (outer != kNone)
      outer = e.apply(ScalarOp::mul, DType::i32,
                      {outer, e.constant(DType::i32, static_cast<double>(shape[i].size()))});
    affine = (i ? affine * shape[i].size() : Index{}) + at[i];
  }
  const NodeId inner = e.index(DType::i32, affine);
  return outer == kNone ? inner : e.apply(ScalarOp::add, DType::i32, {outer, inner});
}

}  // namespace

const std::array<OpDef, kLeafOps>& leaf_ops() {
  static const std::array<OpDef, kLeafOps> ops = {{
      // Every element is `value`.
      {.kind = OpKind::constant,
       .name = "const",
       .arity = 0,
       .cls = OpClass::leaf,
       .attrs = {Attr::number, Attr::type},
       .infer = infer_const,
       .eval =
           [](const EvalContext& c) {
             std::fill(c.out[0].data.begin(), c.out[0].data.end(), c.op.attrs.number);
           },
       .grad = nullptr,
       .by_row = row_by_row,
       .lower = [](ElementBuilder& e, const Func&, const Op& op,
                   const Indices&) { return e.constant(op.attrs.type.dtype, op.attrs.number); },
       .cheap = true},
      // An element is its own index along `axis`.
      {.kind = OpKind::iota,
       .name = "iota",
       .arity = 0,
       .cls = OpClass::leaf,
       .attrs = {Attr::axis, Attr::type},
       .infer = infer_iota,
       .eval =
           [](const EvalContext& c) {
             auto out = c.out[0].data.begin();
             for_each_index(c.out[0].shape,
                            [&](const auto& at) { *out++ = static_cast<double>(at[c.op.attrs.axis]); });
           },
       .grad = nullptr,
       .by_row = beside_axis,
       .lower = [](ElementBuilder& e, const Func&, const Op& op,
                   const Indices& at) { return e.index(op.attrs.type.dtype, at[op.attrs.axis]); },
       .cheap = true},
      // The extent that the dim `dim` has in this call.
      {.kind = OpKind::size,
       .name = "size",
       .arity = 0,
       .cls = OpClass::leaf,
       .attrs = {Attr::dim, Attr::type},
       .infer = infer_size,
       .eval =
           [](const EvalContext& c) { c.out[0].data[0] = static_cast<double>(bind(c.op.attrs.dim, c.dims)); },
       .grad = nullptr,
       .lower = [](ElementBuilder& e, const Func&, const Op& op,
                   const Indices&) { return e.size(op.attrs.type.dtype, op.attrs.dim); },
       .cheap = true},
      // random(key, counters): uniform in [0, 1). Leading dims are those of the counters, one tensor each:
      // its
      // element i is a pure function of key, counter and its position i.
      {.kind = OpKind::random,
       .name = "random",
       .arity = 2,
       .cls = OpClass::view,
       .attrs = {Attr::type},
       .infer = infer_random,
       .eval =
           [](const EvalContext& c) {
             const int64_t counters = c.in[1]->count(), size = counters ? c.out[0].count() / counters : 0;
             auto out = c.out[0].data.begin();
             for (double counter : c.in[1]->data)
               for (int64_t i = 0; i < size; ++i)
                 *out++ = threefry_uniform(c.in[0]->data[0], counter, static_cast<double>(i));
           },
       .grad = nullptr,
       .vectorize =
           [](AllSteps& s) {  // more counters of one key
             s.attrs.type.shape.insert(s.attrs.type.shape.begin(), s.steps);
             return !s.stacked[0];
           },
       .by_row = rows_of_second,
       .lower =
           [](ElementBuilder& e, const Func& func, const Op& op, const Indices& at) {
             const auto counters = static_cast<size_t>(func.type(op.operands[1]).rank());
             const NodeId key = e.element(op.operands[0], {});
             const NodeId counter = e.element(op.operands[1], {at.begin(), at.begin() + counters});
             const std::span<const Dim> shape(op.attrs.type.shape);
             const NodeId i = linear_index(e, shape.subspan(counters), std::span(at).subspan(counters));
             return e.apply(ScalarOp::random, op.attrs.type.dtype, {key, counter, i});
           }},
  }};
  return ops;
}

}  // namespace rondo::ir
