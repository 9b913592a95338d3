// Products with one left operand become one:  x A, x B = the two halves of  x [A B].  Each element keeps its
// own sum over k, so no bit changes. This is what makes the gates of any cell one product.
#include <map>
#include <tuple>

#include "passes/copier.h"
#include "passes/passes.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// A left operand of so few rows does not pay for joining the right ones in every call.
constexpr int64_t kFewRows = 8;

/// Inside a scan the right operands are joined once for all steps. Outside, a single named dim is taken for
/// the batch of one step, which is often 1.
bool pays(const Type& left, bool in_scan) {
  if (in_scan) return true;
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < left.shape.size(); ++i) {
    if (left.shape[i].is_named() && left.rank() > 2) return true;
    rows *= left.shape[i].size();  // 0 for a named one
  }
  return rows > kFewRows;
}

struct Group {
  std::vector<const Op*> products;
  bool tb() const { return products[0]->attrs.tb; }
};

/// Products of one left operand, all with right operands that exist before the first product.
class Groups {
 public:
  Groups(const Func& func, bool in_scan, int64_t columns)
      : func_(func), columns_(columns), early_(func.values.size()), of_(func.ops.size(), kNone) {
    std::map<std::tuple<Value, bool>, size_t> open;
    for (Value v : func.params) early_[v.id] = true;
    for (size_t k = 0; k < func.ops.size(); ++k) {
      const Op& op = func.ops[k];
      mark_early(op);
      if (!has_numeric_columns(op) || !pays(func.type(op.operands[0]), in_scan)) continue;
      const auto [entry, is_new] = open.try_emplace({op.operands[0], op.attrs.tb}, groups_.size());
      if (is_new) groups_.emplace_back();
      Group& group = groups_[entry->second];
      const Op* right = func.def(op.operands[1]);
      const bool exists =
          early_[op.operands[1].id] || group.products.empty() || !right || right < group.products[0];
      if (exists) group.products.push_back(&op);
    }
    for (size_t g = 0; g < groups_.size(); ++g)
      if (groups_[g].products.size() > 1)
        for (const Op* op : groups_[g].products) of_[index(*op)] = g;
  }

  /// The group of an op, or null.
  const Group* of(const Op& op) const { return of_[index(op)] == kNone ? nullptr : &groups_[of_[index(op)]]; }

 private:
  static constexpr size_t kNone = ~size_t{0};

  size_t index(const Op& op) const { return static_cast<size_t>(&op - func_.ops.data()); }

  /// A product whose right operand can be joined with others.
  bool has_numeric_columns(const Op& op) const {
    if (op.kind != OpKind::matmul || op.attrs.ta) return false;
    const Dim& columns = func_.type(op.result()).shape.back();
    return !columns.is_named() && (columns_ == 0 || columns.size() < columns_);
  }

  /// Early are params, leaves, and what moves their elements: it can stand before the first product wherever
  /// it stands now.
  void mark_early(const Op& op) {
    const bool moves = op.kind == OpKind::transpose || op.kind == OpKind::reshape ||
                       op.kind == OpKind::slice || op.kind == OpKind::concat || op.kind == OpKind::cast;
    bool early = moves || (op.operands.empty() && op.kind != OpKind::scan);
    for (Value v : op.operands) early &= early_[v.id] != 0;
    for (uint32_t i = 0; i < op.result_count; ++i) early_[op.result(i).id] = early;
  }

  const Func& func_;
  const int64_t columns_;  // Options::columns
  std::vector<char> early_;
  std::vector<Group> groups_;
  std::vector<size_t> of_;  // by op: its group
};

Func merge(const Func& func, bool in_scan, int64_t columns);

class Merger {
 public:
  Merger(const Func& func, bool in_scan, int64_t columns)
      : func_(func), columns_(columns), groups_(func, in_scan, columns) {}

  void operator()(Builder& b, ValueMap& map, const Op& op) {
    if (map[op.result()]) return;  // came early, for a group
    if (op.kind == OpKind::scan) {
      Op inner = op;
      inner.body = std::make_shared<Func>(merge(*op.body, true, columns_));
      return map.set_results(op, b.copy(func_, inner, map.operands(op)));
    }
    const Group* group = groups_.of(op);
    if (!group) return map.copy(b, op);
    std::vector<Value> rights;
    for (const Op* product : group->products) {
      bring(b, map, product->operands[1]);
      rights.push_back(map[product->operands[1]]);
    }
    const int64_t columns = group->tb() ? 0 : 1;
    const Value merged = b.matmul(map[op.operands[0]], b.concat(rights, columns), false, group->tb());
    const int64_t axis = b.type(merged).rank() - 1;
    int64_t lo = 0;
    for (size_t i = 0; i < rights.size(); ++i) {
      const int64_t hi = lo + b.type(rights[i]).shape[columns].size();
      const Value result = group->products[i]->result();
      map[result] = b.slice(merged, axis, lo, hi);
      b.set_name(map[result], func_.value_name(result));
      lo = hi;
    }
  }

 private:
  /// Emits v and what it is made of, if it is not there yet.
  void bring(Builder& b, ValueMap& map, Value v) {
    if (map[v]) return;
    const Op& op = *func_.def(v);
    for (Value operand : op.operands) bring(b, map, operand);
    map.copy(b, op);
  }

  const Func& func_;
  const int64_t columns_;
  const Groups groups_;
};

Func merge(const Func& func, bool in_scan, int64_t columns) {
  return rebuild(func, Merger(func, in_scan, columns));
}

}  // namespace

Func merge_matmuls(const Func& func, const Options& options) { return merge(func, false, options.columns); }

}  // namespace rondo::passes
