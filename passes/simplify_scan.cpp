#include "passes/simplify_scan.h"

#include <algorithm>
#include <map>

#include "ir/op_def.h"
#include "passes/copier.h"
#include "passes/liveness.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// What a param of the body becomes.
struct Fate {
  enum Kind { const_param, carry_param, x_param, leaf } kind;
  Value operand;  // of the outer function: the const, the carry's initial value, the xs, or the leaf to emit
                  // again
  uint32_t same_as = ~0u;  // a carry that is always equal to an earlier carry
};

class Trimmer {
 public:
  Trimmer(Rewriter& r, const Func& func, const Op& op, const std::vector<Value>& operands, const Flags& live)
      : r_(r), func_(func), scan_(op), operands_(operands), live_result_(op.result_count) {
    for (uint32_t i = 0; i < op.result_count; ++i) live_result_[i] = live[op.result(i).id];
  }

  std::vector<Value> run() {
    decide_fates();
    mark_live();
    return emit();
  }

 private:
  void decide_fates() {
    for (uint32_t i = 0; i < scan_.consts; ++i) fates_.push_back(fate_of_const(operands_[i]));
    std::map<std::pair<Value, Value>, uint32_t> carries;  // by initial and next value
    for (uint32_t i = 0; i < scan_.carries; ++i) {
      const Value init = operands_[scan_.consts + i];
      if (scan_.next(i) == scan_.carry_param(i)) {
        fates_.push_back(fate_of_const(init));
        continue;
      }
      const auto [first, is_new] = carries.try_emplace({init, scan_.next(i)}, i);
      fates_.push_back({Fate::carry_param, init, is_new ? ~0u : first->second});
    }
    for (uint32_t i = 0; i < scan_.xs; ++i)
      fates_.push_back(fate_of_x(operands_[scan_.consts + scan_.carries + i], scan_.x_param(i)));
  }

  Fate fate_of_const(Value v) const {
    const Op* def = r_.def(v);
    return {def && def->operands.empty() && def->kind != OpKind::scan ? Fate::leaf : Fate::const_param, v};
  }

  /// The same at every step: a number, or a broadcast along time.
  Fate fate_of_x(Value v, Value param) {
    const Op* def = r_.def(v);
    if (def && def->kind == OpKind::constant)
      return {Fate::leaf, r_.constant(scan_.body.type(param), def->attrs.number)};
    if (!def || def->kind != OpKind::broadcast || scan_.is_window(param)) return {Fate::x_param, v};
    const Value from = def->operands[0];
    std::vector<int64_t> axes = def->attrs.axes;
    if (!axes.empty() && axes[0] == 0) return {Fate::x_param, v};
    for (int64_t& axis : axes) --axis;
    const Shape& shape = r_.type(v).shape;
    return {Fate::const_param, r_.broadcast(from, Shape(shape.begin() + 1, shape.end()), std::move(axes))};
  }

  /// Live is what a used y or a used final carry depends on, over all steps.
  void mark_live() {
    live_value_.assign(scan_.body.values.size(), false);
    std::vector<Value> pending;
    auto mark = [&](Value v) {
      if (!live_value_[v.id]) pending.push_back(v);
      live_value_[v.id] = true;
    };
    for (uint32_t i = 0; i < scan_.ys; ++i)
      if (live_result_[scan_.carries + i]) mark(scan_.y_value(i));
    for (uint32_t i = 0; i < scan_.carries; ++i)
      if (live_result_[i]) mark(carry_leader(i));
    std::map<Value, uint32_t> carry_of;
    for (uint32_t i = 0; i < scan_.carries; ++i) carry_of[scan_.carry_param(i)] = i;
    while (!pending.empty()) {
      const Value v = pending.back();
      pending.pop_back();
      if (const Op* op = scan_.body.def(v)) {
        for (Value operand : op->operands) mark(operand);
      } else if (auto carry = carry_of.find(v); carry != carry_of.end()) {
        const Value leader = carry_leader(carry->second);
        mark(leader);
        if (fates_[scan_.consts + carry->second].kind == Fate::carry_param) mark(scan_.next(carry->second));
      }
    }
  }

  /// The param of the first carry that is equal to this one.
  Value carry_leader(uint32_t i) const {
    const Fate& fate = fates_[scan_.consts + i];
    return scan_.carry_param(fate.same_as == ~0u ? i : fate.same_as);
  }

  std::vector<Value> emit() {
    Builder body(scan_.body.name);
    std::vector<Value> args(scan_.body.params.size()), operands;
    Attrs attrs = scan_.op.attrs;
    attrs.consts = add_params(body, Fate::const_param, args, operands);
    attrs.carries = add_params(body, Fate::carry_param, args, operands);
    const uint32_t xs = add_params(body, Fate::x_param, args, operands);
    if (!scan_.windows()) attrs.dim = xs ? Dim() : trip_count(func_, scan_.op);
    for (size_t i = 0; i < args.size(); ++i) {
      if (args[i] || !live_value_[scan_.body.params[i].id]) continue;
      const Fate& fate = fates_[i];
      args[i] = fate.kind == Fate::leaf ? body.copy(r_.b.func(), *r_.def(fate.operand), {})[0]
                                        : args[scan_.consts + fate.same_as];
    }
    return emit_results(body, args, std::move(operands), std::move(attrs));
  }

  /// Adds the live params of one kind to the body, equal operands once (but for carries). Returns how many.
  uint32_t add_params(Builder& body, Fate::Kind kind, std::vector<Value>& args,
                      std::vector<Value>& operands) {
    std::map<Value, Value> known;
    uint32_t count = 0;
    for (size_t i = 0; i < args.size(); ++i) {
      const Value param = scan_.body.params[i];
      if (fates_[i].kind != kind || !live_value_[param.id] || fates_[i].same_as != ~0u) continue;
      if (kind != Fate::carry_param && known.contains(fates_[i].operand)) {
        args[i] = known[fates_[i].operand];
        continue;
      }
      args[i] = known[fates_[i].operand] = body.param(scan_.body.type(param), scan_.body.value_name(param));
      operands.push_back(fates_[i].operand);
      ++count;
    }
    return count;
  }

  std::vector<Value> emit_results(Builder& body, const std::vector<Value>& args, std::vector<Value> operands,
                                  Attrs attrs) {
    ValueMap map(scan_.body);
    for (size_t i = 0; i < args.size(); ++i) map[scan_.body.params[i]] = args[i];
    for (const Op& op : scan_.body.ops)
      if (any_result(op, live_value_)) map.copy(body, op);
    std::vector<Value> body_results;
    std::vector<std::string> names;
    std::vector<Value> results(scan_.op.result_count);           // known outside
    std::vector<uint32_t> position(scan_.op.result_count, ~0u);  // or a result of the new scan
    for (uint32_t i = 0; i < scan_.carries; ++i) {
      const Fate& fate = fates_[scan_.consts + i];
      if (fate.kind != Fate::carry_param)
        results[i] = fate.operand;
      else if (fate.same_as != ~0u)
        position[i] = position[fate.same_as];
      else if (live_value_[scan_.carry_param(i).id])
        position[i] = add_result(i, map, body_results, names);
    }
    std::map<Value, uint32_t> known;
    const std::map<Value, Piece> pieces = pieces_of_ys(body.func(), map);
    std::map<uint32_t, Piece> cut;  // results that are pieces of others
    for (uint32_t i = scan_.carries; i < scan_.op.result_count; ++i) {
      if (!live_result_[i]) continue;
      const Value y = scan_.body.results[i];
      const auto piece = pieces.find(map[y]);
      if (const Value x = whole_of(y))
        results[i] = x;
      else if (piece != pieces.end() && only_computed_with(scan_.op.result(i)))
        cut.emplace(i, piece->second);
      else if (known.contains(map[y]))
        position[i] = known[map[y]];
      else
        known[map[y]] = position[i] = add_result(i, map, body_results, names);
    }
    if (body_results.empty()) return results;
    const std::vector<Value> out =
        r_.b.emit_scan(std::move(operands), std::move(attrs),
                       std::make_shared<Func>(std::move(body).finish(std::move(body_results))), names);
    for (uint32_t i = 0; i < results.size(); ++i)
      if (position[i] != ~0u) results[i] = out[position[i]];
    for (const auto& [i, piece] : cut)
      results[i] = r_.slice(results[piece.whole], piece.axis, piece.lo, piece.hi);
    return results;
  }

  /// What a y is of another result, which is a concat at each step: a slice.
  struct Piece {
    uint32_t whole;
    int64_t axis, lo, hi;
  };

  /// By the values of the new body. A concat is whole for itself, also where it is part of a larger one.
  std::map<Value, Piece> pieces_of_ys(const Func& body, const ValueMap& map) const {
    std::map<Value, Piece> pieces;
    if (scan_.windows()) return pieces;
    for (uint32_t i = scan_.carries; i < scan_.op.result_count; ++i) {
      const Op* op = live_result_[i] ? body.def(map[scan_.body.results[i]]) : nullptr;
      if (!op || op->kind != OpKind::concat) continue;
      const auto axis = static_cast<size_t>(op->attrs.axis);
      int64_t lo = 0;
      for (Value part : op->operands) {
        const int64_t hi = lo + body.type(part).shape[axis].size();
        const Op* inner = body.def(part);
        if (!inner || inner->kind != OpKind::concat)
          pieces.try_emplace(part, Piece{i, op->attrs.axis + 1, lo, hi});
        lo = hi;
      }
    }
    return pieces;
  }

  /// Whether all that is done with a result is arithmetic, which reads a slice where it is; others would have
  /// it copied to a tensor of its own.
  bool only_computed_with(Value result) const {
    auto computes = [](const Op& op) {
      const OpClass c = def_of(op.kind).cls;
      return c == OpClass::pointwise || c == OpClass::reduction;
    };
    return std::ranges::count(func_.results, result) == 0 &&
           std::ranges::all_of(func_.ops, [&](const Op& op) {
             return computes(op) || std::ranges::count(op.operands, result) == 0;
           });
  }

  uint32_t add_result(uint32_t i, const ValueMap& map, std::vector<Value>& body_results,
                      std::vector<std::string>& names) const {
    body_results.push_back(map[scan_.body.results[i]]);
    names.push_back(func_.value_name(scan_.op.result(i)));
    return static_cast<uint32_t>(body_results.size() - 1);
  }

  /// The xs whose slices the y is, if it is.
  Value whole_of(Value y) const {
    for (uint32_t i = 0; i < scan_.xs; ++i)
      if (scan_.x_param(i) == y) return operands_[scan_.consts + scan_.carries + i];
    return {};
  }

  Rewriter& r_;
  const Func& func_;
  const ScanView scan_;
  const std::vector<Value>& operands_;
  Flags live_result_, live_value_;
  std::vector<Fate> fates_;  // of the body's params
};

}  // namespace

std::vector<Value> emit_trimmed_scan(Rewriter& r, const Func& func, const Op& op,
                                     const std::vector<Value>& operands, const Flags& live) {
  return Trimmer(r, func, op, operands, live).run();
}

}  // namespace rondo::passes
