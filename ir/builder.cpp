#include "ir/builder.h"

#include <fmt/format.h>

#include "ir/op_def.h"
#include "support/error.h"

namespace rondo::ir {
namespace {

/// Equal keys mean equal attributes; `%a` prints doubles exactly.
std::string attribute_key(OpKind kind, const Attrs& a) {
  return fmt::format("{}|{:a}|{}|{}|{}|{}|{}|{}{}{}|{}", static_cast<int>(kind), a.number, to_string(a.type),
                     fmt::join(a.axes, ","), a.axis, a.lo, a.hi, a.ta, a.tb, a.reverse, to_string(a.dim));
}

std::string operand_types(const std::vector<Type>& types) {
  std::string text;
  for (const Type& t : types) text += (text.empty() ? "" : " x ") + to_string(t);
  return text;
}

}  // namespace

Value Builder::param(Type type, std::string name) {
  Value v{static_cast<uint32_t>(func_.values.size())};
  func_.values.push_back({std::move(type), std::move(name), -1});
  func_.params.push_back(v);
  return v;
}

std::vector<Value> Builder::emit_scan(std::vector<Value> operands, Attrs attrs,
                                      std::shared_ptr<const Func> body, std::vector<std::string> names) {
  Op op;
  op.kind = OpKind::scan;
  op.operands = std::move(operands);
  op.attrs = std::move(attrs);
  op.body = std::move(body);
  std::vector<Type> in;
  for (Value v : op.operands) in.push_back(type(v));
  std::vector<Type> out;
  try {
    out = def_of(op.kind).infer(func_, op, in);
  } catch (const Error& e) {
    throw Error(fmt::format("rondo: scan: {}", e.what()));
  }
  op.first_result = {static_cast<uint32_t>(func_.values.size())};
  op.result_count = static_cast<uint32_t>(out.size());
  std::vector<Value> results;
  for (size_t i = 0; i < out.size(); ++i) {
    results.push_back({static_cast<uint32_t>(func_.values.size())});
    func_.values.push_back(
        {out[i], i < names.size() ? names[i] : "", static_cast<int32_t>(func_.ops.size())});
  }
  func_.ops.push_back(std::move(op));
  return results;
}

Value Builder::emit(OpKind kind, std::vector<Value> operands, Attrs attrs, std::string name) {
  const OpDef& def = def_of(kind);
  Op op;
  op.kind = kind;
  op.operands = std::move(operands);
  op.attrs = std::move(attrs);
  std::vector<Type> in;
  for (Value v : op.operands) {
    RONDO_CHECK(v.id < func_.values.size(),
                fmt::format("{}: an operand is no value of {}", def.name, func_.name));
    in.push_back(type(v));
  }
  std::vector<Type> out;
  try {
    if (def.arity >= 0 && static_cast<size_t>(def.arity) != in.size())
      throw Error(fmt::format("takes {} operands, has {}", def.arity, in.size()));
    out = def.infer(func_, op, in);
  } catch (const Error& e) {
    throw Error(in.empty() ? fmt::format("rondo: {}: {}", def.name, e.what())
                           : fmt::format("rondo: {}: {}: {}", def.name, operand_types(in), e.what()));
  }
  Key key{attribute_key(kind, op.attrs), {}};
  for (Value v : op.operands) key.second.push_back(v.id);
  Value fresh{static_cast<uint32_t>(func_.values.size())};
  auto [known, inserted] = known_.try_emplace(std::move(key), fresh);
  if (!inserted) {
    if (!name.empty() && func_.values[known->second.id].name.empty())
      set_name(known->second, std::move(name));
    return known->second;
  }
  op.first_result = fresh;
  func_.values.push_back({out.at(0), std::move(name), static_cast<int32_t>(func_.ops.size())});
  func_.ops.push_back(std::move(op));
  return fresh;
}

std::vector<Value> Builder::copy(const Func& from, const Op& op, std::vector<Value> operands) {
  if (op.kind != OpKind::scan)
    return {emit(op.kind, std::move(operands), op.attrs, from.value_name(op.result()))};
  std::vector<std::string> names;
  for (uint32_t i = 0; i < op.result_count; ++i) names.push_back(from.value_name(op.result(i)));
  return emit_scan(std::move(operands), op.attrs, op.body, std::move(names));
}

std::vector<Value> Builder::inline_func(const Func& callee, std::span<const Value> args) {
  RONDO_CHECK(args.size() == callee.params.size(),
              fmt::format("{} takes {} arguments", callee.name, callee.params.size()));
  std::vector<Value> map(callee.values.size());
  for (size_t i = 0; i < args.size(); ++i) map[callee.params[i].id] = args[i];
  for (const Op& op : callee.ops) {
    std::vector<Value> operands;
    for (Value v : op.operands) operands.push_back(map[v.id]);
    std::vector<Value> results = copy(callee, op, std::move(operands));
    for (uint32_t i = 0; i < op.result_count; ++i) map[op.result(i).id] = results[i];
  }
  std::vector<Value> results;
  for (Value v : callee.results) results.push_back(map[v.id]);
  return results;
}

void Builder::set_name(Value v, std::string name) { func_.values[v.id].name = std::move(name); }

Func Builder::finish(std::vector<Value> results) && {
  func_.results = std::move(results);
  return std::move(func_);
}

Value Builder::constant(Type type, double number) {
  return emit(OpKind::constant, {}, {.number = number, .type = std::move(type)});
}

Value Builder::unary(OpKind kind, Value v) { return emit(kind, {v}); }
Value Builder::binary(OpKind kind, Value a, Value b) { return emit(kind, {a, b}); }

Value Builder::cast(Value v, DType dtype) {
  if (type(v).dtype == dtype) return v;
  return emit(OpKind::cast, {v}, {.type = {dtype, type(v).shape}});
}

Value Builder::size(Dim dim, DType dtype) {
  if (!dim.is_named()) return scalar(dtype, static_cast<double>(dim.size()));
  return emit(OpKind::size, {}, {.type = {dtype, {}}, .dim = std::move(dim)});
}

Value Builder::iota(Type type, int64_t axis) {
  return emit(OpKind::iota, {}, {.type = std::move(type), .axis = axis});
}

Value Builder::reshape(Value v, Shape shape) {
  if (shape == type(v).shape) return v;
  return emit(OpKind::reshape, {v}, {.type = {type(v).dtype, std::move(shape)}});
}

Value Builder::transpose(Value v, std::vector<int64_t> axes) {
  return emit(OpKind::transpose, {v}, {.axes = std::move(axes)});
}

Value Builder::broadcast(Value v, Shape shape, std::vector<int64_t> axes) {
  if (shape == type(v).shape) return v;
  return emit(OpKind::broadcast, {v}, {.type = {type(v).dtype, std::move(shape)}, .axes = std::move(axes)});
}

Value Builder::slice(Value v, int64_t axis, int64_t lo, int64_t hi) {
  return emit(OpKind::slice, {v}, {.axis = axis, .lo = lo, .hi = hi});
}

Value Builder::pad(Value v, int64_t axis, int64_t before, int64_t after) {
  if (before == 0 && after == 0) return v;
  return emit(OpKind::pad, {v}, {.axis = axis, .lo = before, .hi = after});
}

Value Builder::concat(std::vector<Value> parts, int64_t axis) {
  return emit(OpKind::concat, std::move(parts), {.axis = axis});
}

Value Builder::sum_repeated(Dim dim, Value ids, Value updates) {
  return emit(OpKind::sum_repeated, {ids, updates}, {.dim = std::move(dim)});
}

Value Builder::scatter_add(Type result, Value ids, Value updates) {
  return emit(OpKind::scatter_add, {ids, updates}, {.type = std::move(result)});
}

Value Builder::matmul(Value x, Value y, bool ta, bool tb) {
  return emit(OpKind::matmul, {x, y}, {.ta = ta, .tb = tb});
}

Value Builder::reduce_sum(Value v, std::vector<int64_t> axes) {
  if (axes.empty()) return v;
  return emit(OpKind::reduce_sum, {v}, {.axes = std::move(axes)});
}

Value Builder::reduce_max(Value v, std::vector<int64_t> axes) {
  if (axes.empty()) return v;
  return emit(OpKind::reduce_max, {v}, {.axes = std::move(axes)});
}

Value Builder::in_range(Value v, Dim dim, int64_t more, int64_t from) {
  return emit(OpKind::in_range, {v}, {.lo = from, .hi = more, .dim = std::move(dim)});
}

Value Builder::argmax(Value v, int64_t axis) { return emit(OpKind::argmax, {v}, {.axis = axis}); }

Value Builder::random(Value key, Value counter, Type type) {
  return emit(OpKind::random, {key, counter}, {.type = std::move(type)});
}

}  // namespace rondo::ir
