#include "passes/windows.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/op_def.h"
#include "passes/copier.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// What a named dim is taken for where a block's steps can't be told by one of them.
constexpr int64_t kTypicalExtent = 16;

/// A function with the members as one scan of windows.
class WindowedFunc {
 public:
  WindowedFunc(const Func& func, const WindowMembers& members)
      : func_(func), members_(members), b_(func.name), map_(func), body_("window"), inside_(func) {}

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
    attrs.reverse = members_.windows().reverse;
    attrs.window = members_.windows().window;
    attrs.longest = members_.windows().longest;
    attrs.dim = members_.windows().steps;
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
        if (stacked) type.shape[0] = members_.windows().window;
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
  const WindowMembers& members_;
  Builder b_;
  ValueMap map_;
  Builder body_;
  ValueMap inside_;                // of func -> of the body, for a window
  std::map<Value, Value> whole_;   // the same for what a window needs all of
  std::map<Value, Value> params_;  // of results that are carries
  std::vector<Value> operands_, carries_;
  std::vector<std::string> names_;
};

/// Windows of a scan are scans, one after the other.
std::optional<OverWindow> scan_over_windows(const Func& func, const Op& op, const Windows& windows) {
  if (op.attrs.lengths || op.attrs.window.is_named() || op.attrs.reverse != windows.reverse ||
      trip_count(func, op) != windows.steps)
    return std::nullopt;
  OverWindow scan{op.attrs, {}};
  for (size_t i = 0; i < op.operands.size(); ++i)
    scan.stacked.push_back(i >= op.attrs.consts + op.attrs.carries);
  if (ScanView(op).xs == 0) scan.attrs.dim = windows.window;
  return scan;
}

/// Also as that of windows.
bool has_dim(const Func& func, const std::string& name) {
  const std::vector<std::string> names = named_dims(func);
  return std::ranges::find(names, name) != names.end() || std::ranges::any_of(func.ops, [&](const Op& op) {
           return op.attrs.window == Dim(name) || (op.body && has_dim(*op.body, name));
         });
}

}  // namespace

Windows windows_over(const Func& func, const Dim& steps, const Dim& longest) {
  const std::string first = fmt::format("window_{}", to_string(steps));
  std::string window = first;
  for (int k = 2; has_dim(func, window); ++k) window = fmt::format("{}_{}", first, k);
  return {steps, longest, window};
}

Dim steps_with(const Shape& shape, int64_t rows) {
  Dim named;
  int64_t each = 1;
  for (size_t i = 1; i + 1 < shape.size(); ++i) {
    if (shape[i].is_named() && !named.is_named())
      named = shape[i];
    else
      each *= shape[i].is_named() ? kTypicalExtent : std::max<int64_t>(shape[i].size(), 1);
  }
  const Dim steps = quotient(rows, each);
  return named.is_named() ? quotient(steps, named) : steps;
}

bool has_lengths(const Func& func, const Shape& shape) {
  const Shape rows(shape.begin(), shape.end() - 1);
  return std::ranges::any_of(func.ops, [&](const Op& op) {
    if (op.kind != OpKind::less || func.type(op.result()).shape != rows) return false;
    const Op* step = func.def(op.operands[0]);
    return step && step->kind == OpKind::iota && step->attrs.axis == 0;
  });
}

bool is_gradient(const Func& func, const Op& op) {
  const ScanView scan(op);
  for (uint32_t i = 0; i < scan.xs; ++i) {
    const Op* source = func.def(scan.x(i));
    if (source && source->kind == OpKind::scan && source->attrs.reverse != op.attrs.reverse) return true;
  }
  return false;
}

std::optional<OverWindow> over_windows(const Func& func, const Op& op, const Windows& windows) {
  if (op.kind == OpKind::scan) return scan_over_windows(func, op, windows);
  auto leads = [&](const Shape& shape) { return !shape.empty() && shape[0] == windows.steps; };
  const ByRowRule rule = def_of(op.kind).by_row;
  const bool reduces = def_of(op.kind).cls == OpClass::reduction;
  if (!rule || !leads(func.type(reduces ? op.operands[0] : op.result()).shape)) return std::nullopt;
  const std::optional<ByRow> rows = rule(func, op, 0);
  if (!rows || std::ranges::any_of(rows->axes, [](int64_t axis) { return axis > 0; })) return std::nullopt;
  OverWindow over{op.attrs, {}, rows->sums()};
  for (int64_t axis : rows->axes) over.stacked.push_back(axis == 0);
  if (leads(over.attrs.type.shape)) over.attrs.type.shape[0] = windows.window;
  return over;
}

WindowMembers::WindowMembers(const Func& func, Windows windows, const Flags& wanted)
    : windows_(std::move(windows)), in_(func.values.size()), after_(func.values.size()) {
  for (size_t k = 0; k < func.ops.size(); ++k) add(func, func.ops[k], wanted[k]);
}

void WindowMembers::add(const Func& func, const Op& op, bool wanted) {
  std::optional<OverWindow> member;
  if (wanted || op.operands.empty()) member = over_windows(func, op, windows_);
  bool depends = false;
  for (size_t i = 0; i < op.operands.size(); ++i) {
    const Value v = op.operands[i];
    const bool leaf = func.def(v) && func.def(v)->operands.empty();  // leaves are outside as well
    const bool inside = in_[v.id] && !leaf;
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

Func run_in_windows(const Func& func, const WindowMembers& members) {
  return WindowedFunc(func, members).run();
}

}  // namespace rondo::passes
