// The only way to make a Func: checks every op by its own type rule and shares equal ones.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "ir/func.h"

namespace rondo::ir {

/// Builds one Func. Every emit checks arity, types and attributes with the op's own rule and throws Error
/// ("matmul: f32[B,64] x f32[256,1024]: inner dims 64 and 256 differ") where they do not fit. Two ops with
/// equal kind, operands and attributes are one (hash-consing; scans excepted).
class Builder {
 public:
  explicit Builder(std::string name) { func_.name = std::move(name); }

  /// The next param. It may come after ops: a trace meets the values it captures late.
  Value param(Type, std::string name = "");
  Value emit(OpKind, std::vector<Value> operands, Attrs = {}, std::string name = "");
  std::vector<Value> emit_scan(std::vector<Value> operands, Attrs, std::shared_ptr<const Func> body,
                               std::vector<std::string> names = {});
  /// Emits a copy of an op of another function over new operands; keeps the names of its results.
  std::vector<Value> copy(const Func& from, const Op&, std::vector<Value> operands);
  /// Emits all ops of another function with its params replaced by args; returns its results.
  std::vector<Value> inline_func(const Func&, std::span<const Value> args);

  const Type& type(Value v) const { return func_.values[v.id].type; }
  const Func& func() const { return func_; }
  void set_name(Value v, std::string name);
  Func finish(std::vector<Value> results) &&;

  // --- shorthands, one per op; scalars are f32[] etc., there is no implicit broadcasting
  Value constant(Type, double number);
  Value scalar(DType dtype, double number) { return constant({dtype, {}}, number); }
  Value like(Value v, double number) { return constant(type(v), number); }
  Value unary(OpKind, Value);
  Value binary(OpKind, Value, Value);
  Value neg(Value a) { return unary(OpKind::neg, a); }
  Value add(Value a, Value b) { return binary(OpKind::add, a, b); }
  Value sub(Value a, Value b) { return binary(OpKind::sub, a, b); }
  Value mul(Value a, Value b) { return binary(OpKind::mul, a, b); }
  Value div(Value a, Value b) { return binary(OpKind::div, a, b); }
  Value fma(Value a, Value b, Value c) { return emit(OpKind::fma, {a, b, c}); }
  Value select(Value pred, Value a, Value b) { return emit(OpKind::select, {pred, a, b}); }
  Value cast(Value, DType);
  Value size(Dim, DType);
  Value iota(Type, int64_t axis);
  Value reshape(Value, Shape);
  Value transpose(Value, std::vector<int64_t> axes);
  /// axes[i]: the dim of the result that dim i of v becomes.
  Value broadcast(Value v, Shape, std::vector<int64_t> axes);
  Value slice(Value, int64_t axis, int64_t lo, int64_t hi);
  Value pad(Value, int64_t axis, int64_t before, int64_t after);
  Value concat(std::vector<Value>, int64_t axis);
  Value gather(Value table, Value ids) { return emit(OpKind::gather, {table, ids}); }
  /// zeros of the type, with updates[i...] added to row ids[i...].
  Value scatter_add(Type, Value ids, Value updates);
  /// table, with row ids[i...] replaced by rows[i...]; of several for one row, the last.
  Value scatter(Value table, Value ids, Value rows) { return emit(OpKind::scatter, {table, ids, rows}); }
  /// For the last of equal ids, the sum of the updates of all of them; zeros for the others.
  Value sum_repeated(Dim dim, Value ids, Value updates);
  Value matmul(Value a, Value b, bool ta = false, bool tb = false);
  Value reduce_sum(Value, std::vector<int64_t> axes);
  Value reduce_max(Value, std::vector<int64_t> axes);
  Value argmax(Value, int64_t axis);
  /// counters: the result's leading dims.
  Value random(Value key, Value counters, Type);
  /// v, whose elements must lie in [0, dim + more).
  Value in_range(Value v, Dim dim, int64_t more = 0, int64_t from = 0);
  Value detach(Value v) { return unary(OpKind::detach, v); }

 private:
  using Key = std::pair<std::string, std::vector<uint32_t>>;
  Func func_;
  std::map<Key, Value> known_;
};

}  // namespace rondo::ir
