// Deviations of a product's columns from their mean are a product with the deviations of its matrix:
//
//   x W - mean(x W) = x (W - mean(W)),  means being over columns.
//
// In a loop over time a step then neither sums up the columns of its products nor takes a mean from them, and
// nor does its gradient: that of W, once for all steps, is what loses its mean. So it is for training, where
// the matrix changes once a call, for products in scans, and for more than a few rows.
#include <algorithm>
#include <numeric>
#include <span>

#include "passes/copier.h"
#include "passes/deviation.h"
#include "passes/liveness.h"
#include "passes/passes.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// Of a matrix that is centered: products of larger ones take so long that nothing is gained.
constexpr int64_t kElements = 32768;
/// Of a product: what fewer gain is what it takes to center the matrix and its gradient.
constexpr int64_t kRows = 4;

class Centering {
 public:
  /// `changing`: of the values of func, a body, those that differ from step to step.
  Centering(const Func& func, const Flags& changing)
      : func_(func), changing_(changing), uses_(use_counts(func)) {}

  /// The sum of products whose columns' deviations from their mean the value is, and which nothing else
  /// reads; none if it is something else.
  Value sum_of_products(Value v) const {
    const Type& type = func_.type(v);
    if (type.rank() < 2 || has_few_rows(type.shape)) return {};
    std::vector<int64_t> rows(type.rank() - 1);
    std::iota(rows.begin(), rows.end(), 0);
    const Value x = deviating(func_, v, rows);
    return x && can_center(x, 2) ? x : Value{};
  }

  /// The deviations of what sum_of_products gave.
  Value centered(Builder& b, const ValueMap& map, Value v) const {
    const Op& op = *func_.def(v);
    if (op.kind == OpKind::add) {
      const Value first = centered(b, map, op.operands[0]);
      return b.add(first, centered(b, map, op.operands[1]));
    }
    if (op.kind == OpKind::broadcast)
      return b.broadcast(deviations(b, map[op.operands[0]], 0), op.attrs.type.shape, op.attrs.axes);
    const Value w = deviations(b, map[op.operands[1]], op.attrs.tb ? 0 : 1);
    return b.matmul(map[op.operands[0]], w, op.attrs.ta, op.attrs.tb);
  }

 private:
  /// Whether the value is a product with a matrix that stays, a vector for all rows, as a bias, or a sum of
  /// such, read so many times.
  bool can_center(Value v, uint32_t uses) const {
    const Op* op = func_.def(v);
    if (!op || uses_[v.id] != uses) return false;
    if (op->kind == OpKind::matmul) return can_center_matrix(op->operands[1]);
    if (op->kind == OpKind::broadcast)
      return op->attrs.axes == std::vector<int64_t>{static_cast<int64_t>(func_.type(v).rank()) - 1};
    return op->kind == OpKind::add && can_center(op->operands[0], 1) && can_center(op->operands[1], 1);
  }

  /// A dim with a name counts as many, so that bits do not depend on what it is bound to.
  static bool has_few_rows(const Shape& shape) {
    int64_t rows = 1;
    for (const Dim& d : std::span(shape).first(shape.size() - 1)) rows *= d.is_named() ? kRows : d.size();
    return rows < kRows;
  }

  bool can_center_matrix(Value v) const {
    const Shape& shape = func_.type(v).shape;
    return !changing_[v.id] && shape[0].size() * shape[1].size() <= kElements;
  }

  /// x less its mean along the axis.
  static Value deviations(Builder& b, Value x, int64_t axis) {
    const Shape shape = b.type(x).shape;
    const Value sum = b.reduce_sum(x, {axis});
    const Value mean = b.div(sum, b.like(sum, static_cast<double>(shape[static_cast<size_t>(axis)].size())));
    std::vector<int64_t> kept(shape.size());
    std::iota(kept.begin(), kept.end(), 0);
    std::erase(kept, axis);
    return b.sub(x, b.broadcast(mean, shape, kept));
  }

  const Func& func_;
  const Flags& changing_;
  const std::vector<uint32_t> uses_;
};

Func center(const Func& func, const Flags& changing) {
  const Centering centering(func, changing);
  return rebuild(func, [&](Builder& b, ValueMap& map, const Op& op) {
    if (op.kind == OpKind::scan) {
      Op inner = op;
      inner.body = std::make_shared<Func>(center(*op.body, changing_values(ScanView(op))));
      return map.set_results(op, b.copy(func, inner, map.operands(op)));
    }
    const Value sum = changing.empty() ? Value{} : centering.sum_of_products(op.result());
    if (!sum) return map.copy(b, op);
    map[op.result()] = centering.centered(b, map, sum);
    b.set_name(map[op.result()], func.value_name(op.result()));
  });
}

}  // namespace

Func center_products(const Func& func, const Options&) { return center(func, {}); }

}  // namespace rondo::passes
