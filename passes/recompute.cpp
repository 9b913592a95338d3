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
#include "passes/liveness.h"
#include "passes/passes.h"
#include "passes/windows.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// The ops that run in windows together with a scan, by index: all but those that must be done before the
/// first window, or the scan were none of them. They are all in the scan's direction.
Flags wanted_with(const Func& func, const Op& seed, const Windows& windows) {
  Flags ancestor(func.values.size()), before(func.values.size());
  for (size_t k = static_cast<size_t>(&seed - func.ops.data()) + 1; k-- > 0;) {
    const Op& op = func.ops[k];
    if (&op != &seed && !any_result(op, ancestor)) continue;
    const std::optional<OverWindow> member = over_windows(func, op, windows);
    if (member && member->sums) before[op.result().id] = true;
    for (size_t i = 0; i < op.operands.size(); ++i) {
      ancestor[op.operands[i].id] = true;
      before[op.operands[i].id] |= any_result(op, before) || !member || !member->stacked[i];
    }
  }
  Flags wanted;
  for (const Op& op : func.ops) wanted.push_back(!any_result(op, before));
  return wanted;
}

/// The first scan that keeps something of each step and is longer than a window.
const Op* long_scan(const Func& func, const Dim& longest) {
  for (const Op& op : func.ops) {
    const bool in_windows = op.attrs.window.is_named();
    if (op.kind != OpKind::scan || op.attrs.lengths || in_windows || op.attrs.carries == 0) continue;
    const Dim steps = trip_count(func, op);
    if (steps.is_named() || longest.is_named() || steps.size() > longest.size()) return &op;
  }
  return nullptr;
}

}  // namespace

Func recompute(const Func& func, const Options& options) {
  Func now = mask_lengths(func);
  while (const Op* scan = long_scan(now, options.window)) {
    Windows windows = windows_over(now, trip_count(now, *scan), options.window);
    windows.reverse = scan->attrs.reverse;
    now = run_in_windows(now, WindowMembers(now, windows, wanted_with(now, *scan, windows)));
  }
  return now;
}

}  // namespace rondo::passes
