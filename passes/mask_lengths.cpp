// Scans with lengths become scans without. With the mask  m[t,b] = t < L[b]  as one more x,
//
//   S' = select(m_t, next, S)      y = select(m_t, y, 0)      x = select(m_t, x, 0) for float xs
//
// say all that Op's comment in func.h says of lengths; in reverse, a row's carries stay as they start until
// its own last step. No pass that follows needs to know of lengths, grad included: the gradient of a select
// is a select, so that beyond its length a row's cotangents pass by the step, and are exact zeros inside it.
//
// The select of the xs is what keeps padding, which may hold anything, out of gradients: dW = X^T dZ sums
// over all steps, and a NaN in X times a zero in dZ is a NaN.
#include "passes/copier.h"
#include "passes/passes.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// pred[T,B]: one value for all scans of as many steps with the same lengths.
Value mask_of(Builder& b, Value lengths, const Dim& steps) {
  const Shape shape{steps, b.type(lengths).shape[0]};
  const Value checked = b.in_range(lengths, steps, 1);
  return b.binary(OpKind::less, b.iota({DType::i32, shape}, 0), b.broadcast(checked, shape, {1}));
}

Value select_rows(Builder& b, Value active, Value then, Value otherwise) {
  return b.select(b.broadcast(active, b.type(then).shape, {0}), then, otherwise);
}

/// The body with the mask's slice as its last param.
Func masked_body(const ScanView& scan, const Dim& rows) {
  Builder b(scan.body.name);
  std::vector<Value> args;
  for (Value v : scan.body.params) args.push_back(b.param(scan.body.type(v), scan.body.value_name(v)));
  const Value active = b.param({DType::pred, {rows}}, "active");
  const std::vector<Value> carries(args.begin() + scan.consts, args.begin() + scan.consts + scan.carries);
  for (size_t i = scan.consts + scan.carries; i < args.size(); ++i)
    if (is_float(b.type(args[i]).dtype)) args[i] = select_rows(b, active, args[i], b.like(args[i], 0));
  std::vector<Value> results = b.inline_func(scan.body, args);
  for (size_t i = 0; i < results.size(); ++i)
    results[i] = select_rows(b, active, results[i], i < carries.size() ? carries[i] : b.like(results[i], 0));
  return std::move(b).finish(std::move(results));
}

Op masked_scan(Builder& b, const Func& func, Op op, std::vector<Value>& operands) {
  const Value lengths = operands.back();
  op.body = std::make_shared<Func>(masked_body(ScanView(op), b.type(lengths).shape[0]));
  operands.back() = mask_of(b, lengths, trip_count(func, op));
  b.set_name(operands.back(), "active");
  op.attrs.lengths = false;
  op.attrs.dim = {};  // the mask is an x
  return op;
}

}  // namespace

Func mask_lengths(const Func& func, const Options&) {
  return rebuild(func, [&](Builder& b, ValueMap& map, const Op& op) {
    if (!op.body) return map.copy(b, op);
    Op scan = op;
    scan.body = std::make_shared<Func>(mask_lengths(*op.body));
    std::vector<Value> operands = map.operands(op);
    if (op.attrs.lengths) scan = masked_scan(b, func, std::move(scan), operands);
    map.set_results(op, b.copy(func, scan, std::move(operands)));
  });
}

}  // namespace rondo::passes
