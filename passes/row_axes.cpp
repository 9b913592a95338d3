#include "passes/row_axes.h"

#include <algorithm>

#include "ir/poly.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// Elements of a table that each block of rows may make for itself, and add to those of the blocks before.
constexpr int64_t kSmallTable = 1 << 16;

/// Whether an op adds rows to those of a table that ids choose, which is a sum of what parts of them give: no
/// rule of the op says so, as each part makes a whole table.
bool adds_to_small_table(const Op& op) {
  if (op.kind != OpKind::scatter_add) return false;
  const Poly elements = element_count(op.attrs.type.shape);
  return elements.is_constant() && elements.constant() <= kSmallTable;
}

class Follower {
 public:
  /// `rows`: how many there are.
  Follower(const Func& func, RowAxes& found, Dim rows) : func_(func), found_(found), rows_(std::move(rows)) {
    found_.axis.resize(func.values.size(), RowAxes::kNone);
  }

  bool failed() const { return failed_; }

  /// To a fixed point.
  void run() {
    do {
      changed_ = false;
      for (const Op& op : func_.ops) follow(op);
      for (size_t k = func_.ops.size(); k-- > 0;) follow(func_.ops[k]);
    } while (changed_ && !failed_);
  }

  void set(Value v, int64_t axis) {
    if (is_same_in_rows(func_.def(v))) return;
    int64_t& known = found_.axis[v.id];
    const Shape& shape = func_.type(v).shape;
    const bool fits = axis >= 0 && axis < static_cast<int64_t>(shape.size()) && shape[axis] == rows_;
    if (!fits || (known != RowAxes::kNone && known != axis)) failed_ = true;
    changed_ |= known != axis;
    known = axis;
  }

  /// Whether every op that reads or makes rows works on them by themselves.
  bool is_by_row() const {
    return std::ranges::all_of(func_.ops, [&](const Op& op) {
      return found_.ops.contains(&op) || found_.scans.contains(&op) || !has_rows(op);
    });
  }

 private:
  bool has_rows(const Op& op) const {
    for (uint32_t i = 0; i < op.result_count; ++i)
      if (found_[op.result(i)] != RowAxes::kNone) return true;
    return std::ranges::any_of(op.operands, [&](Value v) { return found_[v] != RowAxes::kNone; });
  }

  void follow(const Op& op) {
    if (failed_ || !has_rows(op)) return;
    if (op.kind == OpKind::scan) return follow_scan(op);
    found_.ops.erase(&op);  // what is known by now may speak against it
    const std::optional<ByRow> by_row = relation(op);
    if (!by_row) return;
    for (size_t i = 0; i < op.operands.size(); ++i)
      if (by_row->axes[i] != ByRow::kNone) set(op.operands[i], by_row->axes[i]);
    if (!by_row->sums()) set(op.result(), by_row->result);
    found_.ops[&op] = *by_row;
  }

  /// How the op works on rows that are where they are known to be.
  std::optional<ByRow> relation(const Op& op) const {
    const OpDef& def = def_of(op.kind);
    const bool adds = adds_to_small_table(op);
    if (!def.by_row && !adds) return std::nullopt;
    const Value of = adds || def.cls == OpClass::reduction ? op.operands[0] : op.result();
    for (int64_t axis = 0; axis < func_.type(of).rank(); ++axis) {
      if (func_.type(of).shape[axis] != rows_) continue;
      const std::optional<ByRow> by_row =
          adds ? ByRow{{axis, axis}, ByRow::kNone} : def.by_row(func_, op, axis);
      if (by_row && fits(op, *by_row)) return by_row;
    }
    return std::nullopt;
  }

  bool fits(const Op& op, const ByRow& by_row) const {
    auto agrees = [&](Value v, int64_t axis) { return found_[v] == RowAxes::kNone || found_[v] == axis; };
    for (size_t i = 0; i < op.operands.size(); ++i)
      if (!agrees(op.operands[i], by_row.axes[i])) return false;
    return agrees(op.result(), by_row.result);
  }

  /// An operand or result of a scan and what stands for it in the body, whose rows are a dim further in front
  /// where it is one of many slices.
  struct Pair {
    Value outer, inner;
    int64_t shift;
  };

  static std::vector<Pair> pairs(const Op& op) {
    const ScanView s(op);
    std::vector<Pair> result;
    for (uint32_t i = 0; i < s.consts; ++i) result.push_back({s.const_operand(i), s.const_param(i), 0});
    for (uint32_t i = 0; i < s.carries; ++i) {
      result.push_back({s.init(i), s.carry_param(i), 0});
      result.push_back({s.final_carry(i), s.carry_param(i), 0});
      result.push_back({s.final_carry(i), s.next(i), 0});
    }
    for (uint32_t i = 0; i < s.xs; ++i)
      result.push_back({s.x(i), s.x_param(i), s.is_window(s.x_param(i)) ? 0 : 1});
    for (uint32_t i = 0; i < s.ys; ++i)
      result.push_back({s.y(i), s.y_value(i), s.is_window(s.y_value(i)) ? 0 : 1});
    return result;
  }

  void follow_scan(const Op& op) {
    if (op.attrs.lengths) return;
    RowAxes& inside = found_.scans[&op];
    Follower body(*op.body, inside, rows_);
    for (const auto& [outer, inner, shift] : pairs(op))
      if (found_[outer] != RowAxes::kNone) body.set(inner, found_[outer] - shift);
    body.run();
    failed_ |= body.failed_ || !body.is_by_row();
    for (const auto& [outer, inner, shift] : pairs(op))
      if (inside[inner] != RowAxes::kNone) set(outer, inside[inner] + shift);
  }

  const Func& func_;
  RowAxes& found_;
  Dim rows_;
  bool changed_ = false, failed_ = false;
};

}  // namespace

bool is_same_in_rows(const Op* op) {
  return op && (op->kind == OpKind::constant || op->kind == OpKind::size);
}

std::optional<RowAxes> find_rows(const Func& func, Value v, int64_t axis) {
  RowAxes found;
  Follower follower(func, found, func.type(v).shape.at(axis));
  follower.set(v, axis);
  follower.run();
  if (follower.failed()) return std::nullopt;
  return found;
}

bool is_sum_of_rows(const ScanView& scan, const RowAxes& body, uint32_t carry) {
  const Op* add = scan.body.def(scan.next(carry));
  if (!add || add->kind != OpKind::add) return false;
  const Value param = scan.carry_param(carry);
  const size_t at = add->operands[0] == param ? 0 : 1;
  const Op* sum = scan.body.def(add->operands[1 - at]);
  const auto by_row = body.ops.find(sum);
  const std::vector<uint32_t> uses = use_counts(scan.body);
  return add->operands[at] == param && by_row != body.ops.end() && by_row->second.sums() &&
         uses[param.id] == 1 && uses[add->result().id] == 1 && uses[sum->result().id] == 1;
}

}  // namespace rondo::passes
