#include <algorithm>
#include <map>
#include <optional>

#include "ir/op_def.h"
#include "passes/copier.h"
#include "passes/liveness.h"
#include "passes/passes.h"
#include "passes/rewriter.h"
#include "passes/simplify_scan.h"

namespace rondo::passes {

using namespace ir;

namespace {

bool same(const Func& a, const Func& b) {
  if (a.params != b.params || a.results != b.results || a.ops.size() != b.ops.size()) return false;
  for (size_t i = 0; i < a.ops.size(); ++i) {
    const Op &x = a.ops[i], &y = b.ops[i];
    if (x.kind != y.kind || x.operands != y.operands || x.attrs != y.attrs ||
        x.result_count != y.result_count)
      return false;
    if (x.body != y.body && !same(*x.body, *y.body)) return false;
  }
  return true;
}

/// Sums of tensors that are zero but for one range each: the gradients of the slices of one value. Where the
/// ranges are disjoint the sum is a concat; it is exact, as only zeros are added.
class PadSums {
 public:
  explicit PadSums(const Func& func)
      : func_(func), axis_(func.values.size(), kNone), inner_(func.values.size()) {
    const std::vector<uint32_t> uses = use_counts(func);
    for (const Op& op : func.ops) {
      int64_t& axis = axis_[op.result().id];
      if (op.kind == OpKind::pad) axis = op.attrs.axis;
      if (op.kind != OpKind::add || axis_of(op.operands[0]) != axis_of(op.operands[1])) continue;
      axis = axis_of(op.operands[0]);
      for (Value v : op.operands) inner_[v.id] = axis != kNone && uses[v.id] == 1;
    }
  }

  /// The concat that the add equals, or Value{}. `map` gives the emitted value of each value of the function.
  Value emit(Rewriter& r, const Op& add, const ValueMap& map) const {
    const int64_t axis = axis_of(add.result());
    if (add.kind != OpKind::add || axis == kNone || inner_[add.result().id]) return {};
    std::map<int64_t, const Op*> pads;  // by where the range begins
    if (!collect(add.result(), pads)) return {};
    const Type& type = func_.type(add.result());
    std::vector<Value> parts;
    int64_t end = 0;
    auto fill = [&](int64_t from, int64_t to) {
      Type zeros = type;
      zeros.shape[axis] = to - from;
      if (to > from) parts.push_back(r.constant(std::move(zeros), 0));
    };
    for (const auto& [begin, pad] : pads) {
      if (begin < end) return {};
      fill(end, begin);
      parts.push_back(map[pad->operands[0]]);
      end = begin + func_.type(pad->operands[0]).shape[axis].size();
    }
    fill(end, type.shape[axis].size());
    return r.concat(std::move(parts), axis);
  }

 private:
  static constexpr int64_t kNone = -1;

  int64_t axis_of(Value v) const { return axis_[v.id]; }

  bool collect(Value root, std::map<int64_t, const Op*>& pads) const {
    std::vector<Value> pending{root};
    while (!pending.empty()) {
      const Value v = pending.back();
      pending.pop_back();
      const Op* op = func_.def(v);
      if (op->kind == OpKind::pad) {
        if (!pads.emplace(op->attrs.lo, op).second) return false;
      } else if (v == root || inner_[v.id]) {
        pending.insert(pending.end(), op->operands.begin(), op->operands.end());
      } else {
        return false;  // used elsewhere too: stays a sum
      }
    }
    return true;
  }

  const Func& func_;
  std::vector<int64_t> axis_;  // of values that are sums of pads along one axis
  Flags inner_;                // a sum of pads used by a larger one only
};

Func simplify_once(const Func& func) {
  const Flags live = live_values(func);
  const PadSums pad_sums(func);
  std::optional<Rewriter> rewriter;
  return rebuild(func, [&](Builder& b, ValueMap& map, const Op& op) {
    if (!any_result(op, live)) return;
    if (!rewriter) rewriter.emplace(b);
    Rewriter& r = *rewriter;
    if (op.kind == OpKind::scan) {
      Op inner = op;
      inner.body = std::make_shared<Func>(simplify_once(*op.body));
      return map.set_results(op, op.attrs.lengths
                                     ? b.copy(func, inner, map.operands(op))
                                     : emit_trimmed_scan(r, func, inner, map.operands(op), live));
    }
    Value v = pad_sums.emit(r, op, map);
    if (!v) v = r.emit(op.kind, map.operands(op), op.attrs);
    if (b.func().value_name(v).empty()) b.set_name(v, func.value_name(op.result()));
    map[op.result()] = v;
  });
}

}  // namespace

Func simplify(const Func& func, const Options&) {
  constexpr int kMaxRounds = 8;  // each removes what the one before laid bare; two or three are usual
  Func now = simplify_once(func);
  for (int round = 1; round < kMaxRounds; ++round) {
    Func next = simplify_once(now);
    if (same(now, next)) break;
    now = std::move(next);
  }
  return now;
}

}  // namespace rondo::passes
