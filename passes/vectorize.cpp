#include "passes/vectorize.h"

#include <algorithm>
#include <numeric>

#include "ir/op_def.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// How an op takes a leading dim.
enum class Form {
  none,           // not at all
  every_operand,  // all operands get it; axes count one more
  permuted,       // so, and the list of axes names dim 0 too: transpose, broadcast
  matrix,         // matmul: the left operand gets it, the right one is the same at every step
  rows,           // gather: the ids get it, the table is the same at every step
};

Form form_of(const Op& op) {
  switch (op.kind) {
    case OpKind::matmul: return op.attrs.ta ? Form::none : Form::matrix;
    case OpKind::gather: return Form::rows;
    case OpKind::transpose:
    case OpKind::broadcast: return Form::permuted;
    case OpKind::random:       // an element depends on its position
    case OpKind::scatter_add:  // sums over all of its leading dims
      return Form::none;
    default: {
      const OpClass cls = def_of(op.kind).cls;
      return cls == OpClass::scan || cls == OpClass::leaf ? Form::none : Form::every_operand;
    }
  }
}

bool none_of(std::span<const char> flags) { return std::find(flags.begin(), flags.end(), 1) == flags.end(); }

}  // namespace

bool can_vectorize(const Op& op, std::span<const char> stacked) {
  if (none_of(stacked)) return true;
  switch (form_of(op)) {
    case Form::none: return false;
    case Form::matrix: return !stacked[1];
    case Form::rows: return !stacked[0];
    case Form::every_operand:
    case Form::permuted: return true;
  }
  return false;
}

Value stacked(Builder& b, const Outside& v, const Dim& steps) {
  if (v.stacked) return v.value;
  Shape shape = b.type(v.value).shape;
  std::vector<int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 1);
  shape.insert(shape.begin(), steps);
  return b.broadcast(v.value, std::move(shape), std::move(axes));
}

std::vector<Outside> vectorize(Builder& b, const Func& body, const Op& op, std::span<const Outside> in,
                               const Dim& steps) {
  const bool any = std::any_of(in.begin(), in.end(), [](const Outside& v) { return v.stacked; });
  const Form form = any ? form_of(op) : Form::none;
  const bool all = form == Form::every_operand || form == Form::permuted;
  std::vector<Value> operands;
  for (const Outside& v : in) operands.push_back(all ? stacked(b, v, steps) : v.value);
  std::vector<Outside> results;
  if (!any) {
    for (Value v : b.copy(body, op, std::move(operands))) results.push_back({v, false});
    return results;
  }
  Attrs a = op.attrs;
  if (all) {
    ++a.axis;
    for (int64_t& axis : a.axes) ++axis;
    if (form == Form::permuted) a.axes.insert(a.axes.begin(), 0);
    a.type.shape.insert(a.type.shape.begin(), steps);
  }
  return {{b.emit(op.kind, std::move(operands), std::move(a), body.value_name(op.result())), true}};
}

}  // namespace rondo::passes
