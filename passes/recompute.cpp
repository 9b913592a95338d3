// Long scans keep less for their gradient. A scan of T steps becomes one over windows of k, in which the scan
// runs for the steps of a window:
//
//   S', ys = scan windows(k) carry(S) xs(X) { S', ys = scan carry(S) xs(X of the window) }
//
// Its gradient keeps the carries at the start of each window (grad_scan.cpp) and makes all else again, for a
// window at a time, so that memory grows with T/k + k, and a step is computed twice. What the steps' results
// go through step by step moves along: the output layer, and the loss up to its sum over the steps, which
// becomes a carry. So does what gives the scan its xs.
//
// Steps are as they were, and so are the gradients of xs and initial states. The sums over all steps, the
// loss and the gradients of weights, become sums of the windows' sums.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ir/op_def.h"
#include "passes/copier.h"
#include "passes/liveness.h"
#include "passes/over_window.h"
#include "passes/passes.h"
#include "support/error.h"

namespace rondo::passes {

using namespace ir;

namespace {

bool leaves_windows(const Op& op) {
  return op.kind == OpKind::scan && !op.attrs.lengths && !op.attrs.window.is_named();
}

/// Which ops run in windows together with a scan. They are all in the scan's direction, and no op outside
/// needs one of them and is needed by another.
class Members {
 public:
  Members(const Func& func, const Op& seed, const Dim& window)
      : func_(func),
        steps_(trip_count(func, seed)),
        window_(window),
        reverse_(seed.attrs.reverse),
        in_(func.values.size()),
        after_(func.values.size()) {
    const Flags before = needed_before(seed);
    for (const Op& op : func.ops) add(op, any_result(op, before));
  }

  const Dim& steps() const { return steps_; }
  const Dim& window() const { return window_; }
  bool reverse() const { return reverse_; }
  bool contains(const Op& op) const { return ops_.contains(&op); }
  /// Whether v is there for a window at a time.
  bool inside(Value v) const { return in_[v.id]; }
  /// Whether v is known only after the last window.
  bool after(Value v) const { return after_[v.id]; }
  const OverWindow& operator[](const Op& op) const { return ops_.at(&op); }

  bool is_stacked(const Op& op, size_t operand) const { return ops_.at(&op).stacked[operand]; }

 private:
  std::optional<OverWindow> as_member(const Op& op) const {
    if (op.kind != OpKind::scan) return over_window(func_, op, steps_, window_);
    if (!leaves_windows(op) || op.attrs.reverse != reverse_ || trip_count(func_, op) != steps_)
      return std::nullopt;
    OverWindow scan{op.attrs, {}};
    for (size_t i = 0; i < op.operands.size(); ++i)
      scan.stacked.push_back(i >= op.attrs.consts + op.attrs.carries);
    if (ScanView(op).xs == 0) scan.attrs.dim = window_;
    return scan;
  }

  /// What must be done before the first window, or the seed were no member.
  Flags needed_before(const Op& seed) const {
    Flags ancestor(func_.values.size()), before(func_.values.size());
    for (size_t k = static_cast<size_t>(&seed - func_.ops.data()) + 1; k-- > 0;) {
      const Op& op = func_.ops[k];
      if (&op != &seed && !any_result(op, ancestor)) continue;
      const std::optional<OverWindow> member = as_member(op);
      if (member && member->sums) before[op.result().id] = true;
      for (size_t i = 0; i < op.operands.size(); ++i) {
        ancestor[op.operands[i].id] = true;
        before[op.operands[i].id] |= any_result(op, before) || !member || !member->stacked[i];
      }
    }
    return before;
  }

  bool is_leaf(Value v) const { return func_.def(v) && func_.def(v)->operands.empty(); }

  void add(const Op& op, bool before) {
    std::optional<OverWindow> member;
    if (!before || op.operands.empty()) member = as_member(op);
    bool depends = false;
    for (size_t i = 0; i < op.operands.size(); ++i) {
      const Value v = op.operands[i];
      const bool inside = in_[v.id] && !is_leaf(v);  // leaves are outside as well
      depends |= inside || after_[v.id];
      if (member && (after_[v.id] || (inside && !member->stacked[i]))) member.reset();
    }
    const bool is_scan = op.kind == OpKind::scan;
    for (uint32_t i = 0; i < op.result_count; ++i) {
      const bool whole = member && (member->sums || (is_scan && i < op.attrs.carries));
      in_[op.result(i).id] = member && !whole;
      after_[op.result(i).id] = member ? whole : depends;
    }
    if (member) ops_.emplace(&op, std::move(*member));
  }

  const Func& func_;
  const Dim steps_, window_;
  const bool reverse_;
  std::vector<char> in_, after_;
  std::map<const Op*, OverWindow> ops_;
};

/// A function with the members as one scan of windows.
class WindowedFunc {
 public:
  WindowedFunc(const Func& func, const Members& members, const Dim& longest)
      : func_(func),
        members_(members),
        longest_(longest),
        b_(func.name),
        map_(func),
        body_("window"),
        inside_(func) {}

  Func run() && {
    for (Value v : func_.params) map_[v] = b_.param(func_.type(v), func_.value_name(v));
    copy_others(false);
    emit_scan();
    copy_others(true);
    return std::move(b_).finish(map_.of(func_.results));
  }

 private:
  /// What is no member: before the scan of windows, or after it.
  void copy_others(bool after) {
    for (const Op& op : func_.ops) {
      const bool repeated = op.operands.empty() && !after;  // a leaf is made wherever it is used
      if (repeated || (!members_.contains(op) && members_.after(op.result()) == after)) map_.copy(b_, op);
    }
  }

  void emit_scan() {
    Attrs attrs;
    attrs.reverse = members_.reverse();
    attrs.window = members_.window();
    attrs.longest = longest_;
    attrs.dim = members_.steps();
    attrs.consts =
        add_params([&](const Op& op, size_t i) { return !is_init(op, i) && !members_.is_stacked(op, i); });
    attrs.carries = add_carries();
    add_params([&](const Op& op, size_t i) { return members_.is_stacked(op, i); });
    std::vector<Value> results = emit_body();
    const std::vector<Value> windows = add_ys(results);
    const std::vector<Value> out = b_.emit_scan(
        operands_, attrs, std::make_shared<Func>(std::move(body_).finish(std::move(results))), names_);
    size_t next = 0;
    for (Value v : carries_) map_[v] = out[next++];
    for (Value v : windows) map_[v] = out[next++];
  }

  static bool is_init(const Op& op, size_t operand) {
    return op.kind == OpKind::scan && operand >= op.attrs.consts &&
           operand < op.attrs.consts + op.attrs.carries;
  }

  /// Params of the body for operands of members that are made outside. Returns how many.
  template <class Wanted>
  uint32_t add_params(Wanted wanted) {
    uint32_t count = 0;
    for (const Op& op : func_.ops) {
      if (!members_.contains(op)) continue;
      for (size_t i = 0; i < op.operands.size(); ++i) {
        const Value v = op.operands[i];
        const bool stacked = members_.is_stacked(op, i);
        if ((members_.inside(v) && stacked) || !wanted(op, i)) continue;
        Value& param = stacked ? inside_[v] : whole_[v];
        if (param) continue;
        Type type = func_.type(v);
        if (stacked) type.shape[0] = members_.window();
        param = body_.param(std::move(type), func_.value_name(v));
        operands_.push_back(map_[v]);
        ++count;
      }
    }
    return count;
  }

  /// The carries of the members that are scans, and the sums over all steps.
  uint32_t add_carries() {
    auto add = [&](Value result, Value init, const std::string& name) {
      carries_.push_back(result);
      params_[result] = body_.param(func_.type(result), name);
      operands_.push_back(init);
      names_.push_back(func_.value_name(result));
    };
    for (const Op& op : func_.ops) {
      if (!members_.contains(op)) continue;
      for (uint32_t i = 0; op.kind == OpKind::scan && i < op.attrs.carries; ++i) {
        const ScanView scan(op);
        add(scan.final_carry(i), map_[scan.init(i)], scan.body.value_name(scan.carry_param(i)));
      }
      if (members_[op].sums)
        add(op.result(), b_.constant(func_.type(op.result()), 0), func_.value_name(op.result()));
    }
    return static_cast<uint32_t>(carries_.size());
  }

  /// Returns the next carries.
  std::vector<Value> emit_body() {
    std::vector<Value> next;
    for (const Op& op : func_.ops) {
      if (!members_.contains(op)) continue;
      const OverWindow& member = members_[op];
      Op inner = op;
      inner.attrs = member.attrs;
      std::vector<Value> operands;
      for (size_t i = 0; i < op.operands.size(); ++i)
        operands.push_back(is_init(op, i) ? params_.at(op.result(static_cast<uint32_t>(i) - op.attrs.consts))
                           : member.stacked[i] ? inside_[op.operands[i]]
                                               : whole_.at(op.operands[i]));
      const std::vector<Value> out = body_.copy(func_, inner, std::move(operands));
      if (member.sums) {
        next.push_back(body_.add(params_.at(op.result()), out[0]));
        continue;
      }
      inside_.set_results(op, out);
      if (op.kind == OpKind::scan) next.insert(next.end(), out.begin(), out.begin() + op.attrs.carries);
    }
    return next;
  }

  /// Appends to the body's results what is needed outside.
  std::vector<Value> add_ys(std::vector<Value>& results) {
    std::vector<char> needed(func_.values.size());
    for (const Op& op : func_.ops)
      for (Value v : op.operands) needed[v.id] |= !members_.contains(op);
    for (Value v : func_.results) needed[v.id] = true;
    std::vector<Value> ys;
    for (uint32_t id = 0; id < needed.size(); ++id) {
      if (!needed[id] || !members_.inside({id}) || func_.def({id})->operands.empty()) continue;
      ys.push_back({id});
      results.push_back(inside_[Value{id}]);
      names_.push_back(func_.value_name({id}));
    }
    return ys;
  }

  const Func& func_;
  const Members& members_;
  const Dim longest_;
  Builder b_;
  ValueMap map_;
  Builder body_;
  ValueMap inside_;                // of func -> of the body, for a window
  std::map<Value, Value> whole_;   // the same for what a window needs all of
  std::map<Value, Value> params_;  // of results that are carries
  std::vector<Value> operands_, carries_;
  std::vector<std::string> names_;
};

/// The first scan that keeps something of each step and is longer than a window.
const Op* long_scan(const Func& func, const Dim& longest) {
  for (const Op& op : func.ops) {
    if (!leaves_windows(op) || op.attrs.carries == 0) continue;
    const Dim steps = trip_count(func, op);
    if (steps.is_named() || longest.is_named() || steps.size() > longest.size()) return &op;
  }
  return nullptr;
}

}  // namespace

Func recompute(const Func& func, const Options& options) {
  Func now = mask_lengths(func);
  while (const Op* scan = long_scan(now, options.window)) {
    const std::string window = fmt::format("window_{}", to_string(trip_count(now, *scan)));
    for (const std::string& name : named_dims(now))
      if (name == window)
        throw Error(fmt::format("rondo: recompute: {} has a dim `{}` already", func.name, name));
    now = WindowedFunc(now, Members(now, *scan, window), options.window).run();
  }
  return now;
}

}  // namespace rondo::passes
