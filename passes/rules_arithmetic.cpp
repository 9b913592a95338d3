// Identities that hold to the bit for every float, with one exception: the sign of a zero is not kept.
// Nothing is reassociated, and x * 0 stays for floats, where x may be infinite or no number.
#include <cmath>

#include "ir/op_def.h"
#include "passes/fold.h"
#include "passes/rewriter.h"

namespace rondo::passes {

using namespace ir;

namespace {

Value add_zero(Rewriter& r, const Op& op) {
  if (r.is_number(op.operands[1], 0)) return op.operands[0];
  if (r.is_number(op.operands[0], 0)) return op.operands[1];
  return {};
}

Value add_negated(Rewriter& r, const Op& op) {
  if (const Op* neg = r.def(op.operands[1], OpKind::neg))
    return r.emit(OpKind::sub, {op.operands[0], neg->operands[0]});
  if (const Op* neg = r.def(op.operands[0], OpKind::neg))
    return r.emit(OpKind::sub, {op.operands[1], neg->operands[0]});
  return {};
}

Value sub_zero(Rewriter& r, const Op& op) {
  if (r.is_number(op.operands[1], 0)) return op.operands[0];
  if (r.is_number(op.operands[0], 0)) return r.emit(OpKind::neg, {op.operands[1]});
  return {};
}

Value sub_negated(Rewriter& r, const Op& op) {
  const Op* neg = r.def(op.operands[1], OpKind::neg);
  return neg ? r.emit(OpKind::add, {op.operands[0], neg->operands[0]}) : Value{};
}

Value mul_by_unit(Rewriter& r, const Op& op) {
  for (int i : {0, 1}) {
    const Value other = op.operands[1 - i];
    if (r.is_number(op.operands[i], 1)) return other;
    if (r.is_number(op.operands[i], -1)) return r.emit(OpKind::neg, {other});
  }
  return {};
}

Value mul_integer_by_zero(Rewriter& r, const Op& op) {
  if (is_float(r.type(op.operands[0]).dtype)) return {};
  for (Value v : op.operands)
    if (r.is_number(v, 0)) return v;
  return {};
}

Value mul_negated(Rewriter& r, const Op& op) {
  const Op* x = r.def(op.operands[0], OpKind::neg);
  const Op* y = r.def(op.operands[1], OpKind::neg);
  if (x && y) return r.emit(OpKind::mul, {x->operands[0], y->operands[0]});
  return {};
}

Value fma_by_unit(Rewriter& r, const Op& op) {
  const Value c = op.operands[2];
  if (r.is_number(c, 0)) return r.emit(OpKind::mul, {op.operands[0], op.operands[1]});
  for (int i : {0, 1}) {
    const Value other = op.operands[1 - i];
    if (r.is_number(op.operands[i], 1)) return r.emit(OpKind::add, {other, c});
    if (r.is_number(op.operands[i], -1)) return r.emit(OpKind::sub, {c, other});
  }
  return {};
}

/// Powers of two divide exactly.
Value div_by_power_of_two(Rewriter& r, const Op& op) {
  const auto divisor = r.number(op.operands[1]);
  int exponent = 0;
  if (!divisor || *divisor == 0 || std::abs(std::frexp(*divisor, &exponent)) != 0.5 ||
      std::abs(exponent) > 64)
    return {};
  return r.emit(OpKind::mul, {op.operands[0], r.constant(r.type(op.operands[1]), 1 / *divisor)});
}

Value neg_negated(Rewriter& r, const Op& op) {
  const Op* inner = r.def(op.operands[0], OpKind::neg);
  return inner ? inner->operands[0] : Value{};
}

Value same_operands(Rewriter&, const Op& op) {
  return op.operands[0] == op.operands[1] ? op.operands[0] : Value{};
}

Value select_decided(Rewriter& r, const Op& op) {
  if (op.operands[1] == op.operands[2]) return op.operands[1];
  const auto chosen = r.number(op.operands[0]);
  return chosen ? op.operands[*chosen != 0 ? 1 : 2] : Value{};
}

Value cast_to_same(Rewriter& r, const Op& op) {
  return r.type(op.operands[0]) == op.attrs.type ? op.operands[0] : Value{};
}

Value numeric_size(Rewriter& r, const Op& op) {
  if (op.attrs.dim.is_named()) return {};
  return r.constant(op.attrs.type, static_cast<double>(op.attrs.dim.size()));
}

Value fold_numbers(Rewriter& r, const Op& op) {
  std::vector<double> numbers;
  std::vector<Type> types;
  for (Value v : op.operands) {
    const auto x = r.number(v);
    if (!x) return {};
    numbers.push_back(*x);
    types.push_back(r.type(v));
  }
  const Type type = def_of(op.kind).infer(r.b.func(), op, types)[0];
  const auto x = fold(r.b.func(), op, type.dtype, numbers);
  return x ? r.constant(type, *x) : Value{};
}

constexpr std::string_view kFold = "an op of numbers is a number";
constexpr NamedRule kRules[] = {
    {OpKind::add, "x + 0 = x", add_zero},
    {OpKind::add, "x + -y = x - y", add_negated},
    {OpKind::add, kFold, fold_numbers},
    {OpKind::sub, "x - 0 = x, 0 - x = -x", sub_zero},
    {OpKind::sub, "x - -y = x + y", sub_negated},
    {OpKind::sub, kFold, fold_numbers},
    {OpKind::mul, "x * 1 = x, x * -1 = -x", mul_by_unit},
    {OpKind::mul, "x * 0 = 0 of integers", mul_integer_by_zero},
    {OpKind::mul, "-x * -y = x * y", mul_negated},
    {OpKind::mul, kFold, fold_numbers},
    {OpKind::fma, "x y + 0 = x y, x * 1 + z = x + z, x * -1 + z = z - x", fma_by_unit},
    {OpKind::div, kFold, fold_numbers},
    {OpKind::div, "x / 2^k = x * 2^-k", div_by_power_of_two},
    {OpKind::neg, "-(-x) = x", neg_negated},
    {OpKind::neg, kFold, fold_numbers},
    {OpKind::abs, kFold, fold_numbers},
    {OpKind::floor, kFold, fold_numbers},
    {OpKind::max, "max(x, x) = x", same_operands},
    {OpKind::max, kFold, fold_numbers},
    {OpKind::min, "min(x, x) = x", same_operands},
    {OpKind::min, kFold, fold_numbers},
    {OpKind::less, kFold, fold_numbers},
    {OpKind::equal, kFold, fold_numbers},
    {OpKind::select, "a known choice", select_decided},
    {OpKind::cast, "a cast to the same dtype", cast_to_same},
    {OpKind::cast, kFold, fold_numbers},
    {OpKind::size, "the size of a numeric dim is a number", numeric_size},
};

}  // namespace

std::span<const NamedRule> arithmetic_rules() { return kRules; }

}  // namespace rondo::passes
