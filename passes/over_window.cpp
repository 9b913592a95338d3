#include "passes/over_window.h"

#include <algorithm>

#include "ir/op_def.h"

namespace rondo::passes {

using namespace ir;

namespace {

bool leads(const Shape& shape, const Dim& steps) { return !shape.empty() && shape[0] == steps; }

bool has_axis(const std::vector<int64_t>& axes, int64_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

/// Whether each step is worked on by itself; corrects which operands are stacked where types do not tell.
bool keeps_steps_apart(const Op& op, OverWindow& w) {
  const Attrs& a = op.attrs;
  switch (op.kind) {
    case OpKind::constant: return true;
    case OpKind::iota:
    case OpKind::slice:
    case OpKind::pad:
    case OpKind::concat:
    case OpKind::argmax: return a.axis != 0;
    case OpKind::broadcast: w.stacked[0] = !a.axes.empty() && a.axes[0] == 0; return true;
    case OpKind::transpose: return a.axes[0] == 0;
    case OpKind::reduce_sum:
    case OpKind::reduce_max: return w.sums || !has_axis(a.axes, 0);
    case OpKind::matmul: w.stacked[1] = a.ta; return w.stacked[0];
    case OpKind::random:
    case OpKind::gather: w.stacked[0] = false; return w.stacked[1];
    case OpKind::reshape: return true;
    default: return def_of(op.kind).cls == OpClass::pointwise;
  }
}

}  // namespace

std::optional<OverWindow> over_window(const Func& func, const Op& op, const Dim& steps, const Dim& window) {
  const bool contracts = op.kind == OpKind::matmul && op.attrs.ta;
  OverWindow w{op.attrs, {}, contracts || (op.kind == OpKind::reduce_sum && has_axis(op.attrs.axes, 0))};
  for (Value v : op.operands) w.stacked.push_back(leads(func.type(v).shape, steps));
  const bool sums_steps = w.sums && w.stacked[0];
  if (!sums_steps && (w.sums || !leads(func.type(op.result()).shape, steps))) return std::nullopt;
  if (!keeps_steps_apart(op, w)) return std::nullopt;
  const bool splits = op.kind == OpKind::matmul && func.type(op.operands[0]).rank() < 2;
  const bool whole = std::find(w.stacked.begin(), w.stacked.end(), 1) == w.stacked.end();
  if (splits || (whole && !op.operands.empty() && op.kind != OpKind::broadcast)) return std::nullopt;
  if (leads(w.attrs.type.shape, steps)) w.attrs.type.shape[0] = window;
  return w;
}

}  // namespace rondo::passes
