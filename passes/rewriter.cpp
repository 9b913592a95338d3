#include "passes/rewriter.h"

#include <array>

#include "ir/op_def.h"

namespace rondo::passes {

using namespace ir;

namespace {

using RulesByKind = std::array<std::vector<Rule>, kOpCount>;

const RulesByKind& rules_by_kind() {
  static const RulesByKind table = [] {
    RulesByKind rules;
    for (auto family : {arithmetic_rules(), movement_rules()})
      for (const NamedRule& r : family) rules[static_cast<size_t>(r.kind)].push_back(r.rule);
    return rules;
  }();
  return table;
}

}  // namespace

Value Rewriter::emit(OpKind kind, std::vector<Value> operands, Attrs attrs) {
  Op op;
  op.kind = kind;
  op.operands = std::move(operands);
  op.attrs = std::move(attrs);
  for (Rule rule : rules_by_kind()[static_cast<size_t>(kind)])
    if (const Value v = rule(*this, op)) return v;
  return b.emit(kind, std::move(op.operands), std::move(op.attrs));
}

const Op* Rewriter::def(Value v, OpKind kind) const {
  const Op* op = def(v);
  return op && op->kind == kind ? op : nullptr;
}

std::optional<double> Rewriter::number(Value v) const {
  const Op* op = def(v, OpKind::constant);
  return op ? std::optional(op->attrs.number) : std::nullopt;
}

const std::vector<int64_t>& Rewriter::part_ends(Value concat) {
  std::vector<int64_t>& ends = part_ends_[concat.id];
  if (!ends.empty()) return ends;
  const Op& op = *def(concat);
  int64_t end = 0;
  for (Value part : op.operands) ends.push_back(end += type(part).shape[op.attrs.axis].size());
  return ends;
}

Value Rewriter::constant(Type type, double number) { return b.constant(std::move(type), number); }

Value Rewriter::reshape(Value v, Shape shape) {
  return emit(OpKind::reshape, {v}, {.type = {type(v).dtype, std::move(shape)}});
}

Value Rewriter::slice(Value v, int64_t axis, int64_t lo, int64_t hi) {
  return emit(OpKind::slice, {v}, {.axis = axis, .lo = lo, .hi = hi});
}

Value Rewriter::pad(Value v, int64_t axis, int64_t before, int64_t after) {
  return emit(OpKind::pad, {v}, {.axis = axis, .lo = before, .hi = after});
}

Value Rewriter::concat(std::vector<Value> parts, int64_t axis) {
  return emit(OpKind::concat, std::move(parts), {.axis = axis});
}

Value Rewriter::broadcast(Value v, Shape shape, std::vector<int64_t> axes) {
  return emit(OpKind::broadcast, {v}, {.type = {type(v).dtype, std::move(shape)}, .axes = std::move(axes)});
}

}  // namespace rondo::passes
