// What feeds only ys leaves the scan: y_t = h_t V becomes Y = H V, one product for all t.
#include <algorithm>

#include "ir/op_def.h"
#include "passes/after_scan.h"
#include "passes/liveness.h"
#include "passes/passes.h"
#include "passes/rewrite_scans.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// Values whose every use is a y, or an op that can leave the scan too.
Flags sinkable_values(const ScanView& scan, const Flags& changing) {
  const Func& body = scan.body;
  Flags stays(body.values.size()), used(body.values.size()), sinkable(body.values.size());
  for (uint32_t i = 0; i < scan.carries; ++i) stays[scan.next(i).id] = true;
  for (uint32_t i = 0; i < scan.ys; ++i) used[scan.y_value(i).id] = true;
  for (size_t k = body.ops.size(); k-- > 0;) {
    const Op& op = body.ops[k];
    Flags stacked;
    for (Value v : op.operands) stacked.push_back(changing[v.id]);
    const uint32_t id = op.result().id;
    sinkable[id] = op.kind != OpKind::scan && used[id] && !stays[id] && can_vectorize(op, stacked);
    for (Value v : op.operands) {
      used[v.id] = true;
      stays[v.id] |= !sinkable[id];
    }
  }
  return sinkable;
}

/// Sunk are products and gathers, reductions of what is at hand outside anyway, and all that follows from
/// them. Rows that are normalised stay: a step reads them several times while they are near.
Flags sunk_values(const ScanView& scan, const Flags& changing) {
  const Func& body = scan.body;
  const Flags sinkable = sinkable_values(scan, changing), normalising = normalising_values(body);
  Flags sunk(body.values.size()), at_hand(body.values.size());
  for (uint32_t i = 0; i < body.params.size(); ++i)
    at_hand[body.params[i].id] = i < scan.consts || i >= scan.consts + scan.carries;
  for (uint32_t i = 0; i < scan.ys; ++i) at_hand[scan.y_value(i).id] = true;
  for (const Op& op : body.ops) {
    const OpDef& def = def_of(op.kind);
    const uint32_t id = op.result().id;
    const bool follows =
        std::any_of(op.operands.begin(), op.operands.end(), [&](Value v) { return sunk[v.id]; });
    const bool all_at_hand =
        std::all_of(op.operands.begin(), op.operands.end(), [&](Value v) { return at_hand[v.id]; });
    const bool product = op.kind == OpKind::matmul || op.kind == OpKind::gather;
    const bool reduces = def.cls == OpClass::reduction && all_at_hand && !normalising[id];
    const bool pays = changing[id] && (product || reduces);
    sunk[id] = sinkable[id] && (follows || pays);
    at_hand[id] |= sunk[id] || (all_at_hand && def.cheap);
  }
  return sunk;
}

std::vector<Value> sink(Builder& b, const Func& func, const Op& op, std::vector<Value> operands) {
  const ScanView scan(op);
  const Flags sunk = sunk_values(scan, changing_values(scan));
  Flags keep(op.result_count, true);
  for (uint32_t i = scan.carries; i < op.result_count; ++i) keep[i] = !sunk[scan.body.results[i].id];
  AfterScan after(func, op, std::move(operands), keep, sunk);
  after.emit(b);
  std::vector<Value> results;
  for (uint32_t i = 0; i < op.result_count; ++i)
    results.push_back(keep[i] ? after.result(i) : stacked(b, after[scan.body.results[i]], after.steps()));
  return results;
}

}  // namespace

Func sink_scan_outputs(const Func& func, const Options&) { return rewrite_scans(func, sink); }

}  // namespace rondo::passes
