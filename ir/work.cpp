#include "ir/work.h"

#include <algorithm>

namespace rondo::ir {
namespace {

/// Dims by what stands for them outside.
using Bound = std::map<std::string, Dim>;

Poly extent(const Dim& d, const Bound& bound) {
  const auto known = bound.find(d.name());
  return Poly(known == bound.end() ? d : known->second);
}

Poly elements(const Shape& shape, const Bound& bound) {
  Poly count = 1;
  for (const Dim& d : shape) count = count * extent(d, bound);
  return count;
}

Poly count(const Func& func, const Bound& bound) {
  Poly sum;
  for (const Op& op : func.ops) {
    if (op.kind == OpKind::matmul) {
      const Shape& left = func.type(op.operands[0]).shape;
      const Shape inner = op.attrs.ta ? Shape(left.begin(), left.end() - 1) : Shape{left.back()};
      sum += elements(func.type(op.result()).shape, bound) * elements(inner, bound);
    }
    if (!op.body) continue;
    Bound inside = bound;
    if (op.attrs.window.is_named()) inside[op.attrs.window.name()] = op.attrs.longest;
    sum += extent(trip_count(func, op), bound) * count(*op.body, inside);
  }
  return sum;
}

}  // namespace

Poly multiply_adds(const Func& func) { return count(func, {}); }

}  // namespace rondo::ir
