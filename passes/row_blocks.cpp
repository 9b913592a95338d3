#include "passes/row_blocks.h"

#include <algorithm>
#include <set>
#include <string>

#include "passes/copier.h"

namespace rondo::passes {

using namespace ir;

namespace {

constexpr int64_t kNone = RowAxes::kNone;

/// Whether an attribute of such ops is the result's type.
bool shows_type(OpKind kind) {
  const std::vector<Attr>& attrs = def_of(kind).attrs;
  return std::ranges::find(attrs, Attr::type) != attrs.end();
}

/// Whether a body leaves nothing that is the sum of its rows but in carries that only add up.
bool sums_stay(const ScanView& scan, const RowAxes& rows) {
  std::set<Value> added;
  for (uint32_t c = 0; c < scan.carries; ++c)
    if (is_sum_of_rows(scan, rows, c))
      for (Value v : scan.body.def(scan.next(c))->operands) added.insert(v);
  for (const auto& [op, by_row] : rows.ops)
    if (by_row.sums() && !added.contains(op->result())) return false;
  return std::ranges::all_of(rows.scans, [](const auto& inner) {
    const auto& [op, body] = inner;
    return std::ranges::none_of(body.ops, [](const auto& by_row) { return by_row.second.sums(); }) &&
           sums_stay(ScanView(*op), body);
  });
}

/// Copies ops that work on rows as ops on a block of them.
class BlockCopier {
 public:
  BlockCopier(Builder& b, const Func& func, const RowAxes& rows, const Dim& block)
      : b_(b), func_(func), rows_(rows), block_(block), map_(func) {}

  Value& operator[](Value v) { return map_[v]; }

  Type type(Value v) const { return of_block(func_.type(v), rows_[v]); }

  /// v, whose rows are along `axis`.
  Value get(Value v, int64_t axis) {
    const Op* def = func_.def(v);
    if (!is_same_in_rows(def)) return map_[v];
    Op number = *def;
    number.attrs.type = of_block(number.attrs.type, axis);
    return b_.copy(func_, number, {})[0];
  }

  std::vector<Value> copy(const Op& op, std::vector<Value> operands) {
    Op inner = op;
    const auto by_row = rows_.ops.find(&op);
    if (by_row != rows_.ops.end() && shows_type(op.kind))
      inner.attrs.type = of_block(inner.attrs.type, by_row->second.result);
    if (op.kind == OpKind::scan) inner.body = std::make_shared<Func>(body_of(op));
    return b_.copy(func_, inner, std::move(operands));
  }

  Value operand(const Op& op, size_t i) { return get(op.operands[i], axis_of(op, i)); }

 private:
  /// Along which dim an operand has rows.
  int64_t axis_of(const Op& op, size_t operand) const {
    if (op.kind != OpKind::scan) {
      const auto by_row = rows_.ops.find(&op);
      return by_row == rows_.ops.end() ? kNone : by_row->second.axes[operand];
    }
    const auto scan = rows_.scans.find(&op);
    if (scan == rows_.scans.end()) return kNone;
    const ScanView s(op);
    const Value param = s.body.params[operand];
    const int64_t axis = scan->second[param];
    const bool slice = operand >= s.consts + s.carries && !s.is_window(param);
    return axis == kNone ? kNone : axis + slice;
  }

  Type of_block(Type type, int64_t axis) const {
    if (axis != kNone) type.shape.at(axis) = block_;
    return type;
  }

  Func body_of(const Op& op) const {
    const auto found = rows_.scans.find(&op);
    if (found == rows_.scans.end()) return *op.body;
    const ScanView s(op);
    const RowAxes& rows = found->second;
    Builder b(s.body.name);
    BlockCopier inner(b, s.body, rows, block_);
    for (Value v : s.body.params) inner[v] = b.param(inner.type(v), s.body.value_name(v));
    for (const Op& step : s.body.ops) {
      if (is_same_in_rows(&step)) continue;
      std::vector<Value> operands;
      for (size_t i = 0; i < step.operands.size(); ++i) operands.push_back(inner.operand(step, i));
      inner.map_.set_results(step, inner.copy(step, std::move(operands)));
    }
    std::vector<Value> results;
    for (uint32_t i = 0; i < s.carries; ++i) results.push_back(inner.get(s.next(i), rows[s.carry_param(i)]));
    for (uint32_t i = 0; i < s.ys; ++i) {
      const int64_t axis = rows_[s.y(i)];
      const bool slice = axis != kNone && !s.is_window(s.y_value(i));
      results.push_back(inner.get(s.y_value(i), axis - slice));
    }
    return std::move(b).finish(std::move(results));
  }

  Builder& b_;
  const Func& func_;
  const RowAxes& rows_;
  const Dim& block_;
  ValueMap map_;
};

/// A function with all that works on rows by themselves in one scan of blocks of rows.
class RowBlocks {
 public:
  RowBlocks(const Func& func, const RowAxes& rows, const Windows& blocks)
      : func_(func),
        rows_(rows),
        blocks_(blocks),
        b_(func.name),
        map_(func),
        body_("block"),
        inside_(body_, func, rows, blocks.window),
        place_(func.values.size(), Place::before) {
    for (const Op& op : func.ops) place(op);
  }

  bool contains(const Op& op) const { return members_.contains(&op); }

  /// None: what is not known for rows, but in blocks only, is needed elsewhere.
  std::optional<Func> run() && {
    if (!find_outputs()) return std::nullopt;
    for (Value v : func_.params) map_[v] = b_.param(func_.type(v), func_.value_name(v));
    copy_others(false);
    emit_blocks();
    copy_others(true);
    return std::move(b_).finish(map_.of(func_.results));
  }

 private:
  enum class Place : uint8_t { before, inside, after };

  Place place_of(Value v) const { return place_[v.id]; }

  void place(const Op& op) {
    auto any = [&](Place p) {
      return std::ranges::any_of(op.operands, [&](Value v) { return place_of(v) == p; });
    };
    const auto by_row = rows_.ops.find(&op);
    const auto scan = rows_.scans.find(&op);
    const bool known =
        by_row != rows_.ops.end() || (scan != rows_.scans.end() && sums_stay(ScanView(op), scan->second));
    const bool member = known && !any(Place::after);
    if (member) members_.insert(&op);
    for (uint32_t i = 0; i < op.result_count; ++i) {
      const bool sum = op.kind != OpKind::scan ? known && by_row->second.sums()
                                               : known && i < op.attrs.carries && is_sum(op, i);
      place_[op.result(i).id] = member && !sum                                      ? Place::inside
                                : member || any(Place::inside) || any(Place::after) ? Place::after
                                                                                    : Place::before;
    }
  }

  bool is_sum(const Op& scan, uint32_t carry) const {
    return is_sum_of_rows(ScanView(scan), rows_.scans.at(&scan), carry);
  }

  /// What is computed inside and needed elsewhere; false if it has no rows.
  bool find_outputs() {
    std::set<Value> needed(func_.results.begin(), func_.results.end());
    for (const Op& op : func_.ops)
      if (!contains(op)) needed.insert(op.operands.begin(), op.operands.end());
    for (Value v : needed)
      if (place_of(v) == Place::inside) outputs_.push_back(v);
    return std::ranges::all_of(outputs_, [&](Value v) { return rows_[v] != kNone; });
  }

  void copy_others(bool after) {
    for (const Op& op : func_.ops)
      if (!contains(op) && (place_of(op.result()) == Place::after) == after) map_.copy(b_, op);
  }

  void emit_blocks() {
    Attrs attrs;
    attrs.window = blocks_.window;
    attrs.longest = blocks_.longest;
    attrs.dim = blocks_.steps;
    attrs.consts = add_params(false);
    attrs.carries = add_sums();
    add_params(true);
    std::vector<Value> results = emit_body();
    for (Value v : outputs_) {
      results.push_back(inside_[v]);
      names_.push_back(func_.value_name(v));
    }
    const std::vector<Value> out = b_.emit_scan(
        operands_, attrs, std::make_shared<Func>(std::move(body_).finish(std::move(results))), names_);
    size_t next = 0;
    for (Value v : sums_) map_[v] = out[next++];
    for (Value v : outputs_) map_[v] = out[next++];
  }

  /// Whether a sum over all rows starts at an operand of the member that makes it.
  bool starts_sum(const Op& op, size_t operand) const {
    if (op.kind != OpKind::scan || operand < op.attrs.consts) return false;
    const auto carry = static_cast<uint32_t>(operand - op.attrs.consts);
    return carry < op.attrs.carries && is_sum(op, carry);
  }

  /// Params of the body for what members need of outside: blocks of what has rows, or all of the rest.
  uint32_t add_params(bool with_rows) {
    uint32_t count = 0;
    for (const Op& op : func_.ops) {
      if (!contains(op)) continue;
      for (size_t i = 0; i < op.operands.size(); ++i) {
        const Value v = op.operands[i];
        const bool here = place_of(v) == Place::inside || is_same_in_rows(func_.def(v));
        if (here || inside_[v] || starts_sum(op, i) || (rows_[v] != kNone) != with_rows) continue;
        inside_[v] = body_.param(inside_.type(v), func_.value_name(v));
        operands_.push_back(map_[v]);
        ++count;
      }
    }
    return count;
  }

  /// Carries for sums over rows.
  uint32_t add_sums() {
    auto add = [&](Value sum, Value start) {
      sums_.push_back(sum);
      starts_[sum] = body_.param(func_.type(sum), func_.value_name(sum));
      operands_.push_back(start);
      names_.push_back(func_.value_name(sum));
    };
    for (const Op& op : func_.ops) {
      if (!contains(op)) continue;
      for (uint32_t i = 0; i < op.result_count; ++i) {
        const Value v = op.result(i);
        if (place_of(v) != Place::after) continue;
        add(v, op.kind == OpKind::scan ? map_[ScanView(op).init(i)] : b_.constant(func_.type(v), 0));
      }
    }
    return static_cast<uint32_t>(sums_.size());
  }

  /// Returns what the sums become.
  std::vector<Value> emit_body() {
    std::vector<Value> next;
    for (const Op& op : func_.ops) {
      if (!contains(op)) continue;
      std::vector<Value> operands;
      for (size_t i = 0; i < op.operands.size(); ++i)
        operands.push_back(starts_sum(op, i)
                               ? starts_.at(op.result(static_cast<uint32_t>(i) - op.attrs.consts))
                               : inside_.operand(op, i));
      const std::vector<Value> out = inside_.copy(op, std::move(operands));
      for (uint32_t i = 0; i < op.result_count; ++i) {
        const Value v = op.result(i);
        if (place_of(v) == Place::inside)
          inside_[v] = out[i];
        else
          next.push_back(op.kind == OpKind::scan ? out[i] : body_.add(starts_.at(v), out[i]));
      }
    }
    return next;
  }

  const Func& func_;
  const RowAxes& rows_;
  const Windows& blocks_;
  Builder b_;
  ValueMap map_;
  Builder body_;
  BlockCopier inside_;
  std::vector<Place> place_;  // per value
  std::set<const Op*> members_;
  std::vector<Value> outputs_, sums_, operands_;
  std::map<Value, Value> starts_;  // of sums, in the body
  std::vector<std::string> names_;
};

}  // namespace

std::optional<Func> run_in_row_blocks(const Func& func, const RowAxes& rows, const Windows& blocks,
                                      std::span<const Op* const> needed) {
  RowBlocks tiled(func, rows, blocks);
  if (!std::ranges::all_of(needed, [&](const Op* op) { return tiled.contains(*op); })) return std::nullopt;
  return std::move(tiled).run();
}

}  // namespace rondo::passes
