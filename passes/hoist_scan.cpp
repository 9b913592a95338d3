// What needs no carry leaves the scan: h_t = f(h_{t-1}, x_t W) is h_t = f(h_{t-1}, z_t) with Z = X W, one
// product for all t.
#include <algorithm>

#include "ir/op_def.h"
#include "passes/copier.h"
#include "passes/liveness.h"
#include "passes/passes.h"
#include "passes/rewrite_scans.h"
#include "passes/vectorize.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// What a value of the body depends on.
enum class Needs : char { consts, xs, carries };

/// Work that is worth its own pass over memory. A value is worth it once for all steps already if it is not
/// cheap to make again.
bool pays(const Op& op, Needs needs) {
  const OpDef& def = def_of(op.kind);
  if (needs == Needs::xs) return op.kind == OpKind::matmul || op.kind == OpKind::gather;
  return needs == Needs::consts && def.cls != OpClass::leaf && !def.cheap;
}

class Hoister {
 public:
  Hoister(Builder& b, const Func& func, const Op& op, std::vector<Value> operands)
      : b_(b), func_(func), scan_(op), operands_(std::move(operands)), steps_(trip_count(func, op)) {}

  std::vector<Value> run() {
    classify();
    choose();
    hoist();
    mark_inside();
    return emit();
  }

 private:
  Needs& needs(Value v) { return needs_[v.id]; }
  bool hoisted(Value v) const { return hoisted_[v.id]; }
  uint32_t carries_end() const { return scan_.consts + scan_.carries; }

  /// What a scan of windows makes of its xs it makes for a window at a time to save memory, so that it stays.
  void classify() {
    needs_.assign(scan_.body.values.size(), Needs::consts);
    for (uint32_t i = scan_.consts; i < operands_.size(); ++i)
      needs(scan_.body.params[i]) = i < carries_end() || scan_.windows() ? Needs::carries : Needs::xs;
    for (const Op& op : scan_.body.ops) {
      Needs most = names_window(op) ? Needs::carries : Needs::consts;
      std::vector<char> stacked;
      for (Value v : op.operands) {
        most = std::max(most, needs(v));
        stacked.push_back(needs(v) != Needs::consts);
      }
      if (most == Needs::xs && !can_vectorize(op, stacked)) most = Needs::carries;
      for (uint32_t i = 0; i < op.result_count; ++i) needs(op.result(i)) = most;
    }
  }

  /// Whether the op has no meaning outside, where a window's steps have no name.
  bool names_window(const Op& op) const {
    if (!scan_.windows()) return false;
    auto named = [&](const Dim& d) { return d == scan_.op.attrs.window; };
    auto in_type = [&](Value v) { return std::ranges::any_of(scan_.body.type(v).shape, named); };
    bool names = named(op.attrs.dim) || std::ranges::any_of(op.operands, in_type);
    for (uint32_t i = 0; i < op.result_count; ++i) names |= in_type(op.result(i));
    return names;
  }

  /// Hoisted are ops that pay, ys that need no carry, what every step would have to finish before an op that
  /// reads it across, as the elements of a masked matrix, and what these are made of. Rows that are
  /// normalised stay where there are steps anyway: a step reads them several times while they are near.
  void choose() {
    hoisted_.assign(scan_.body.values.size(), false);
    read_across_.assign(scan_.body.values.size(), false);
    const Flags normalised = normalised_values();
    auto mark = [&](Value v) {
      if (needs(v) != Needs::carries && scan_.body.def(v)) hoisted_[v.id] = true;
    };
    for (uint32_t i = 0; i < scan_.ys; ++i)
      if (const Value y = scan_.y_value(i); scan_.carries == 0 || !normalised[y.id]) mark(y);
    for (size_t k = scan_.body.ops.size(); k-- > 0;) {
      const Op& op = scan_.body.ops[k];
      if (reads_across(op))
        for (Value v : op.operands)
          if (const Op* made = scan_.body.def(v);
              made && needs(v) == Needs::consts && def_of(made->kind).cls == OpClass::pointwise)
            hoisted_[v.id] = read_across_[v.id] = true;
      if (!pays(op, needs(op.result())) && !any_result(op, hoisted_)) continue;
      for (uint32_t i = 0; i < op.result_count; ++i) hoisted_[op.result(i).id] = true;
      for (Value v : op.operands) mark(v);
    }
  }

  /// Whether operands that are computed have to be finished before the op.
  static bool reads_across(const Op& op) {
    const OpClass cls = def_of(op.kind).cls;
    return cls == OpClass::reduction || cls == OpClass::indexed || cls == OpClass::scan;
  }

  Flags normalised_values() const {
    Flags normalised = normalising_values(scan_.body);
    for (const Op& op : scan_.body.ops)
      if (std::ranges::any_of(op.operands, [&](Value v) { return normalised[v.id]; }))
        for (uint32_t i = 0; i < op.result_count; ++i) normalised[op.result(i).id] = true;
    return normalised;
  }

  void hoist() {
    outside_.resize(scan_.body.values.size());
    for (uint32_t i = 0; i < operands_.size(); ++i)
      outside_[scan_.body.params[i].id] = {operands_[i], i >= carries_end()};
    for (const Op& op : scan_.body.ops) {
      if (!hoisted(op.result())) continue;
      std::vector<Outside> in;
      for (Value v : op.operands) in.push_back(outside_[v.id]);
      const std::vector<Outside> out = vectorize(b_, scan_.body, op, in, steps_);
      for (uint32_t i = 0; i < op.result_count; ++i) outside_[op.result(i).id] = out[i];
    }
  }

  /// A hoisted value that the body makes again, rather than reading it: cheap, and the same at every step.
  bool made_again(const Op& op) {
    const Value v = op.result();
    return needs(v) == Needs::consts && def_of(op.kind).cheap && !read_across_[v.id];
  }
  bool stays(const Op& op) { return !hoisted(op.result()) || made_again(op); }

  /// Marks the values that the body still computes or reads.
  void mark_inside() {
    inside_.assign(scan_.body.values.size(), false);
    for (uint32_t i = 0; i < scan_.body.results.size(); ++i)
      if (i < scan_.carries || stays_y(i)) inside_[scan_.body.results[i].id] = true;
    for (size_t k = scan_.body.ops.size(); k-- > 0;) {
      const Op& op = scan_.body.ops[k];
      if (any_result(op, inside_) && stays(op))
        for (Value v : op.operands) inside_[v.id] = true;
    }
  }

  bool stays_y(uint32_t result) const { return !hoisted(scan_.body.results[result]); }

  std::vector<Value> emit() {
    Builder body(scan_.body.name);
    ValueMap map(scan_.body);
    std::vector<Value> operands;
    auto add_param = [&](Value v, Value operand) {
      map[v] = body.param(scan_.body.type(v), scan_.body.value_name(v));
      operands.push_back(operand);
    };
    auto add_hoisted = [&](Needs kind) {
      for (const Op& op : scan_.body.ops)
        for (uint32_t i = 0; i < op.result_count; ++i)
          if (const Value v = op.result(i); inside_[v.id] && !stays(op) && needs(v) == kind)
            add_param(v, outside_[v.id].value);
    };
    Attrs attrs = scan_.op.attrs;
    for (uint32_t i = 0; i < scan_.consts; ++i)
      if (inside_[scan_.const_param(i).id]) add_param(scan_.const_param(i), operands_[i]);
    add_hoisted(Needs::consts);
    attrs.consts = static_cast<uint32_t>(operands.size());
    for (uint32_t i = 0; i < scan_.carries; ++i) add_param(scan_.carry_param(i), operands_[scan_.consts + i]);
    for (uint32_t i = 0; i < scan_.xs; ++i)
      if (inside_[scan_.x_param(i).id]) add_param(scan_.x_param(i), operands_[carries_end() + i]);
    add_hoisted(Needs::xs);
    if (!scan_.windows()) attrs.dim = operands.size() == attrs.consts + attrs.carries ? steps_ : Dim();
    for (const Op& op : scan_.body.ops)
      if (any_result(op, inside_) && stays(op)) map.copy(body, op);
    return emit_scan(std::move(body), map, std::move(operands), std::move(attrs));
  }

  std::vector<Value> emit_scan(Builder body, const ValueMap& map, std::vector<Value> operands, Attrs attrs) {
    std::vector<Value> body_results, results(scan_.op.result_count);
    std::vector<uint32_t> kept;
    std::vector<std::string> names;
    for (uint32_t i = 0; i < results.size(); ++i) {
      const Value v = scan_.body.results[i];
      if (i >= scan_.carries && !stays_y(i)) {
        results[i] = stacked(b_, outside_[v.id], steps_);
        continue;
      }
      kept.push_back(i);
      body_results.push_back(map[v]);
      names.push_back(func_.value_name(scan_.op.result(i)));
    }
    if (kept.empty()) return results;
    const std::vector<Value> out =
        b_.emit_scan(std::move(operands), std::move(attrs),
                     std::make_shared<Func>(std::move(body).finish(std::move(body_results))), names);
    for (size_t i = 0; i < kept.size(); ++i) results[kept[i]] = out[i];
    return results;
  }

  Builder& b_;
  const Func& func_;
  const ScanView scan_;
  const std::vector<Value> operands_;
  const Dim steps_;
  // Of the values of the body:
  std::vector<Needs> needs_;
  Flags hoisted_, inside_;
  Flags read_across_;  // the same at every step, but finished before it is read
  std::vector<Outside> outside_;
};

}  // namespace

Func hoist_scan(const Func& func, const Options&) {
  return rewrite_scans(
      func,
      [](Builder& b, const Func& outer, const Op& op, std::vector<Value> operands) {
        return Hoister(b, outer, op, std::move(operands)).run();
      },
      true);
}

}  // namespace rondo::passes
