// A carry that only adds up,  s_t = s_{t-1} + f(t),  needs no recurrence:  s_T = s_0 + sum over t of f(t).
// Where f(t) is a product A_t' B_t the sum is one product of the stacked operands; where it is itself a sum,
// one sum over t too. This changes the order of additions, so it belongs into gradients and losses, not into
// what a step must repeat to the bit.
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "ir/op_def.h"
#include "passes/after_scan.h"
#include "passes/copier.h"
#include "passes/passes.h"
#include "passes/rewrite_scans.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// The attributes with which the op over stacked operands is the sum over t of the op; none if there are
/// none.
std::optional<Attrs> summed(const Op& op) {
  const SumRule rule = def_of(op.kind).sum_steps;
  Attrs attrs = op.attrs;
  return rule && rule(attrs) ? std::optional(std::move(attrs)) : std::nullopt;
}

/// Whether nothing sees carry i but what makes its next value, and nothing that value but the carry.
bool is_unseen(const ScanView& scan, const std::vector<uint32_t>& uses, uint32_t i) {
  return uses[scan.carry_param(i).id] == 1 && uses[scan.next(i).id] == 1;
}

/// For each carry: f where it is  s + f  and nothing else sees s, else Value{}.
std::vector<Value> summands_of(const ScanView& scan) {
  const std::vector<uint32_t> uses = use_counts(scan.body);
  std::vector<Value> summands(scan.carries);
  for (uint32_t i = 0; i < scan.carries; ++i) {
    const Value param = scan.carry_param(i), next = scan.next(i);
    const Op* add = scan.body.def(next);
    if (!add || add->kind != OpKind::add || !is_unseen(scan, uses, i)) continue;
    for (int k : {0, 1})
      if (add->operands[k] == param) summands[i] = add->operands[1 - k];
  }
  return summands;
}

/// The scan where an fma that only adds up is a product and a sum, whose terms can leave.
Op with_sums_apart(const Op& op) {
  const ScanView scan(op);
  const std::vector<uint32_t> uses = use_counts(scan.body);
  std::set<Value> sums;
  for (uint32_t i = 0; i < scan.carries; ++i) {
    const Op* fma = scan.body.def(scan.next(i));
    if (fma && fma->kind == OpKind::fma && fma->operands[2] == scan.carry_param(i) &&
        is_unseen(scan, uses, i))
      sums.insert(fma->result());
  }
  if (sums.empty()) return op;
  Op apart = op;
  apart.body = std::make_shared<Func>(rebuild(scan.body, [&](Builder& b, ValueMap& map, const Op& inner) {
    if (!sums.contains(inner.result())) return map.copy(b, inner);
    const std::vector<Value> v = map.operands(inner);
    map[inner.result()] = b.add(v[2], b.mul(v[0], v[1]));
    b.set_name(map[inner.result()], scan.body.value_name(inner.result()));
  }));
  return apart;
}

/// Values that are contractions, or linear in such.
Flags contracting_values(const Func& body) {
  Flags contracts(body.values.size());
  for (const Op& op : body.ops) {
    bool found = summed(op).has_value();
    if (def_of(op.kind).linear)
      for (Value v : op.operands) found |= contracts[v.id];
    contracts[op.result().id] = found;
  }
  return contracts;
}

class SumSinker {
 public:
  SumSinker(const Func& func, const Op& op, const std::vector<Value>& operands)
      : func_(func),
        scan_(op),
        operands_(operands),
        contracts_(contracting_values(scan_.body)),
        summands_(sunk(summands_of(scan_))),
        uses_(use_counts(scan_.body)),
        after_(func, op, operands, keep(), terms_after()) {}

  std::vector<Value> run(Builder& b) {
    for (Value f : summands_)
      if (f) need(f);
    after_.emit(b);
    std::vector<Value> results;
    for (uint32_t i = 0; i < scan_.op.result_count; ++i) {
      const bool summed = i < scan_.carries && summands_[i];
      results.push_back(summed ? b.add(operands_[scan_.consts + i], sum(b, summands_[i])) : after_.result(i));
      if (summed) b.set_name(results.back(), func_.value_name(scan_.op.result(i)));
    }
    return results;
  }

 private:
  Flags keep() const {
    Flags flags(scan_.op.result_count, true);
    for (uint32_t i = 0; i < scan_.carries; ++i) flags[i] = !summands_[i];
    return flags;
  }

  /// The op of f if f contracts, or is linear in values of which one does: then the sum over t goes to its
  /// operands.
  const Op* contracting(Value f) const { return contracts_[f.id] ? scan_.body.def(f) : nullptr; }

  /// The contractions that f is linear in.
  void visit_contractions(Value f, const std::function<void(const Op&)>& visit) const {
    const Op* op = contracting(f);
    if (!op) return;
    if (summed(*op)) return visit(*op);
    for (Value v : op->operands) visit_contractions(v, visit);
  }

  /// Without sums of rows whose terms nothing else needs after the scan, as those of the gradients of gains:
  /// a step adds them up while they are near. But where they alone keep a step from being element by element,
  /// they leave: then it may run by points (codegen/loops/point_loops.h).
  std::vector<Value> sunk(std::vector<Value> summands) const {
    if (only_sums_contract(summands)) return summands;
    const Flags at_hand = at_hand_after(summands);
    for (Value& f : summands) {
      bool stays = false;
      if (f)
        visit_contractions(f, [&](const Op& op) { stays |= sums_rows(op) && !at_hand[op.operands[0].id]; });
      if (stays) f = {};
    }
    return summands;
  }

  /// Whether the body contracts nothing but for summands.
  bool only_sums_contract(const std::vector<Value>& summands) const {
    std::set<Value> of_summands;
    for (Value f : summands)
      if (f) visit_contractions(f, [&](const Op& op) { of_summands.insert(op.result()); });
    return std::ranges::all_of(scan_.body.ops, [&](const Op& op) {
      const OpClass cls = def_of(op.kind).cls;
      return (cls != OpClass::reduction && cls != OpClass::scan) || of_summands.contains(op.result());
    });
  }

  bool sums_rows(const Op& op) const {
    const size_t rank = scan_.body.type(op.operands[0]).rank();
    return op.kind == OpKind::reduce_sum && std::ranges::none_of(op.attrs.axes, [&](int64_t a) {
             return a + 1 == static_cast<int64_t>(rank);
           });
  }

  /// What the scan reads or leaves anyway, products after it read, or is made of such by cheap ops.
  Flags at_hand_after(const std::vector<Value>& summands) const {
    const Func& body = scan_.body;
    Flags at_hand(body.values.size());
    for (uint32_t i = 0; i < body.params.size(); ++i)
      at_hand[body.params[i].id] = i < scan_.consts || i >= scan_.consts + scan_.carries;
    for (uint32_t i = 0; i < scan_.ys; ++i) at_hand[scan_.y_value(i).id] = true;
    for (Value f : summands)
      if (f)
        visit_contractions(f, [&](const Op& op) {
          if (!sums_rows(op))
            for (Value v : op.operands) at_hand[v.id] = true;
        });
    for (size_t k = body.ops.size(); k-- > 0;)
      if (const Op& op = body.ops[k]; def_of(op.kind).cls == OpClass::placed && at_hand[op.result().id])
        for (Value v : op.operands) at_hand[v.id] = true;
    for (const Op& op : body.ops)
      at_hand[op.result().id] |= def_of(op.kind).cheap && std::ranges::all_of(op.operands, [&](Value v) {
                                   return at_hand[v.id] != 0;
                                 });
    return at_hand;
  }

  /// Terms of sums that are made of one value of the step and of what is at hand after the scan: rather that
  /// value leaves the scan, which it often does anyway, as dz of a peephole's  sum of dz c, or as dz of the
  /// one row whose sum over rows is dz in another shape.
  Flags terms_after() const {
    Flags terms(scan_.body.values.size());
    std::set<Value> seen;
    const std::function<void(Value)> visit = [&](Value f) {
      const Op* op = contracting(f);
      if (!seen.insert(f).second) return;
      if (!op) return void(terms[f.id] = is_reshaped(f));
      if (!summed(*op)) return void(std::ranges::for_each(op->operands, visit));
      if (op->kind == OpKind::reduce_sum) terms[op->operands[0].id] = is_of_one_value(op->operands[0]);
    };
    for (Value f : summands_)
      if (f) visit(f);
    return terms;
  }

  bool is_reshaped(Value term) const {
    const Op* op = scan_.body.def(term);
    return op && uses_[term.id] == 1 && op->kind == OpKind::reshape;
  }

  bool is_of_one_value(Value term) const {
    const Op* op = scan_.body.def(term);
    if (!op || uses_[term.id] != 1 || op->kind != OpKind::mul) return false;
    const auto xs = std::span(scan_.body.params).subspan(scan_.consts + scan_.carries);
    return std::ranges::count_if(op->operands,
                                 [&](Value v) { return std::ranges::find(xs, v) == xs.end(); }) == 1;
  }

  void need(Value f) {
    if (!seen_.insert(f).second) return;
    const Op* op = contracting(f);
    if (!op) return after_.need(f);
    const bool whole = summed(*op).has_value();
    for (Value v : op->operands) whole ? after_.need(v) : need(v);
  }

  Value all_steps(Builder& b, Value v) const { return stacked(b, after_[v], after_.steps()); }

  /// The sum of f(t) over t.
  Value sum(Builder& b, Value f) {
    Value& known = sums_[f];
    if (!known) known = emit_sum(b, f);
    return known;
  }

  Value emit_sum(Builder& b, Value f) {
    const Op* op = contracting(f);
    if (!op) return b.reduce_sum(all_steps(b, f), {0});
    const std::optional<Attrs> attrs = summed(*op);
    std::vector<Value> operands;
    for (Value v : op->operands) operands.push_back(attrs ? all_steps(b, v) : sum(b, v));
    return b.emit(op->kind, std::move(operands), attrs.value_or(op->attrs), scan_.body.value_name(f));
  }

  const Func& func_;
  const ScanView scan_;
  const std::vector<Value>& operands_;
  const Flags contracts_;  // of the values of the body
  const std::vector<Value> summands_;
  const std::vector<uint32_t> uses_;
  AfterScan after_;
  std::set<Value> seen_;
  std::map<Value, Value> sums_;
};

}  // namespace

Func sink_scan_sums(const Func& func, const Options&) {
  return rewrite_scans(func,
                       [](Builder& b, const Func& outer, const Op& op, const std::vector<Value>& operands) {
                         return SumSinker(outer, with_sums_apart(op), operands).run(b);
                       });
}

}  // namespace rondo::passes
