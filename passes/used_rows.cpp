// An update of a large table that leaves most rows alone does not touch them. The gradient of an embedding is
// zero but for the rows that were looked up,
//
//   G = scatter_add(ids, D)            f32[V,H] of f32[T,B,H]
//
// and where an optimizer's rule  w', s' = f(w, s, G)  works on each element by itself and gives back w and s
// for G = 0, as those of SGD and Adagrad do, the rows that were looked up are all there is to do:
//
//   g = sum_repeated(ids, D);    w', s' = scatter(w, ids, f(gather(w, ids), gather(s, ids), g)), and s alike
//
// in time and memory of T B H. Of a row that was looked up more than once, g has the sum at the last place,
// which is the one whose row scatter keeps. All bits are those of the whole table's update, but for norms of
// the gradient: a sum over all of G takes its terms in the order of places, not of ids.
#include <algorithm>
#include <map>

#include "ir/op_def.h"
#include "passes/activity.h"
#include "passes/copier.h"
#include "passes/fold.h"
#include "passes/passes.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// Rows from which a table is large: more than a batch looks up.
constexpr int64_t kLargeTable = 8192;

/// What an element is where the gradient is zero: a number, that element of a value, or anything.
struct AtRest {
  std::optional<double> number = std::nullopt;
  Value value = {};

  bool known() const { return number || value; }
  bool is_zero() const { return number == 0; }
  bool operator==(const AtRest&) const = default;
};

/// What depends on a gradient of used rows, and whether the rows are all there is to do.
class RowUpdate {
 public:
  RowUpdate(const Func& func, const Op& gradient)
      : func_(func), gradient_(gradient), table_(func.type(gradient.result())), dense_(func.values.size()) {
    dense_[gradient.result().id] = true;
    rest_[gradient.result()] = {0.0};
  }

  bool fits() {
    for (const Op& op : func_.ops)
      if (&op != &gradient_ && uses_rows(op) && !follow(op)) return false;
    bool updates = false;
    for (Value v : func_.results) {
      if (!dense_[v.id]) continue;
      updates = true;
      const Value old = rest_.at(v).value;
      if (!old || func_.def(old) || func_.type(old) != func_.type(v)) return false;
    }
    return updates;
  }

  Func rewrite() {
    Builder b(func_.name);
    ValueMap map(func_);
    for (Value v : func_.params) map[v] = b.param(func_.type(v), func_.value_name(v));
    for (const Op& op : func_.ops) emit(b, map, op);
    std::vector<Value> results;
    for (Value v : func_.results)
      results.push_back(dense_[v.id] ? b.scatter(map[rest_.at(v).value], map[ids()], rows_.at(v)) : map[v]);
    return std::move(b).finish(std::move(results));
  }

 private:
  Value ids() const { return gradient_.operands[0]; }
  bool uses_rows(const Op& op) const {
    return std::ranges::any_of(op.operands, [&](Value v) { return dense_[v.id] != 0; });
  }

  bool follow(const Op& op) {
    if (op.kind == OpKind::reduce_sum)  // over all: of zeros, but for the rows
      return rest_.at(op.operands[0]).is_zero() && op.attrs.axes.size() == static_cast<size_t>(table_.rank());
    if (def_of(op.kind).cls != OpClass::pointwise) return false;
    dense_[op.result().id] = true;
    rest_[op.result()] = at_rest(op);
    return true;
  }

  AtRest at_rest(const Op& op) const {
    const OpDef& def = def_of(op.kind);
    std::vector<AtRest> in;
    std::vector<double> numbers;
    for (Value v : op.operands) {
      in.push_back(rest_of(v));
      if (in.back().number) numbers.push_back(*in.back().number);
    }
    if (numbers.size() == in.size()) return {fold(func_, op, func_.type(op.result()).dtype, numbers)};
    for (size_t i = 0; i < in.size() && i < def.at_zero.size(); ++i) {
      if (!in[i].is_zero() || def.at_zero[i] == AtZero::unknown) continue;
      return def.at_zero[i] == AtZero::zero ? in[i] : in[other_operand(op, i)];
    }
    const bool same = def.chooses && in[in.size() - 2] == in.back();
    return same ? in.back() : AtRest{};
  }

  AtRest rest_of(Value v) const {
    if (const auto known = rest_.find(v); known != rest_.end()) return known->second;
    const Op* op = func_.def(v);
    if (op && op->kind == OpKind::constant) return {op->attrs.number};
    return {std::nullopt, v};
  }

  /// The shape of used rows of a tensor of the table's shape.
  Shape rows_shape() const {
    Shape shape = func_.type(ids()).shape;
    shape.insert(shape.end(), table_.shape.begin() + 1, table_.shape.end());
    return shape;
  }

  void emit(Builder& b, ValueMap& map, const Op& op) {
    if (&op == &gradient_) {
      rows_[op.result()] = b.sum_repeated(table_.shape[0], map[ids()], map[op.operands[1]]);
      return;
    }
    if (!uses_rows(op)) return map.copy(b, op);
    std::vector<Value> operands;
    for (Value v : op.operands) operands.push_back(rows_of(b, map, v));
    Attrs attrs = op.attrs;
    if (op.kind == OpKind::reduce_sum) {
      std::vector<int64_t> all;
      for (int64_t i = 0; i < b.type(operands[0]).rank(); ++i) all.push_back(i);
      map[op.result()] = b.reduce_sum(operands[0], std::move(all));
      return;
    }
    if (!attrs.type.shape.empty()) attrs.type.shape = rows_shape();
    rows_[op.result()] =
        b.emit(op.kind, std::move(operands), std::move(attrs), func_.value_name(op.result()));
  }

  /// The used rows of a tensor of the table's shape.
  Value rows_of(Builder& b, const ValueMap& map, Value v) {
    Value& rows = rows_[v];
    if (!rows) rows = make_rows(b, map, v);
    return rows;
  }

  Value make_rows(Builder& b, const ValueMap& map, Value v) const {
    const Op* op = func_.def(v);
    if (op && op->kind == OpKind::constant)
      return b.constant({func_.type(v).dtype, rows_shape()}, op->attrs.number);
    const bool same_rows =
        op && op->kind == OpKind::broadcast && (op->attrs.axes.empty() || op->attrs.axes[0]);
    if (!same_rows) return b.gather(map[v], map[ids()]);
    std::vector<int64_t> axes = op->attrs.axes;
    for (int64_t& axis : axes) axis += func_.type(ids()).rank() - 1;
    return b.broadcast(map[op->operands[0]], rows_shape(), std::move(axes));
  }

  const Func& func_;
  const Op& gradient_;
  const Type& table_;
  Flags dense_;                   // the gradient, and tensors of its shape that follow from it
  std::map<Value, AtRest> rest_;  // of these
  std::map<Value, Value> rows_;   // of the new function: the used rows of a tensor of func
};

/// Whether the table surely has, or may be taken to have, more rows than there are ids.
bool is_large(const Func& func, const Op& op, int64_t least) {
  const Dim& rows = op.attrs.type.shape[0];
  if (rows.is_named() || rows.size() < least) return false;
  const Poly ids = element_count(func.type(op.operands[0]).shape);
  return !ids.is_constant() || ids.constant() < rows.size();
}

}  // namespace

Func used_rows(const Func& func, const Options& options) {
  const int64_t least = options.rows > 0 ? options.rows : kLargeTable;
  for (const Op& op : func.ops) {
    if (op.kind != OpKind::scatter_add || !is_large(func, op, least)) continue;
    RowUpdate update(func, op);
    if (update.fits()) return used_rows(update.rewrite(), options);
  }
  return func;
}

}  // namespace rondo::passes
