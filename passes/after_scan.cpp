#include "passes/after_scan.h"

#include <algorithm>

#include "ir/op_def.h"
#include "passes/copier.h"
#include "passes/liveness.h"

namespace rondo::passes {

using namespace ir;

std::vector<Value> emit_scan_with(Builder& b, const Func& func, const Op& op,
                                  const std::vector<Value>& operands, const Flags& keep_results,
                                  const std::vector<Value>& further_ys) {
  const ScanView scan(op);
  Func wanted = scan.body;
  wanted.results = further_ys;
  for (uint32_t i = 0; i < op.result_count; ++i)
    if (keep_results[i]) wanted.results.push_back(scan.body.results[i]);
  const Flags live = live_values(wanted);

  Builder body(scan.body.name);
  ValueMap map(scan.body);
  std::vector<Value> kept_operands;
  Attrs attrs = op.attrs;
  attrs.carries = 0;
  for (uint32_t i = 0; i < operands.size(); ++i) {
    const Value v = scan.body.params[i];
    const bool is_carry = i >= scan.consts && i < scan.consts + scan.carries;
    if (is_carry && !keep_results[i - scan.consts]) continue;
    attrs.carries += is_carry;
    map[v] = body.param(scan.body.type(v), scan.body.value_name(v));
    kept_operands.push_back(operands[i]);
  }
  for (const Op& inner : scan.body.ops)
    if (any_result(inner, live)) map.copy(body, inner);
  std::vector<Value> results(op.result_count + further_ys.size()), body_results;
  std::vector<size_t> kept;
  std::vector<std::string> names;
  auto keep = [&](size_t result, Value v, const std::string& name) {
    kept.push_back(result);
    body_results.push_back(map[v]);
    names.push_back(name);
  };
  for (uint32_t i = 0; i < op.result_count; ++i)
    if (keep_results[i]) keep(i, scan.body.results[i], func.value_name(op.result(i)));
  for (size_t i = 0; i < further_ys.size(); ++i) {
    const std::string& name = scan.body.value_name(further_ys[i]);
    keep(op.result_count + i, further_ys[i], name.empty() ? "" : name + "s");
  }
  if (kept.empty()) return results;
  const std::vector<Value> out =
      b.emit_scan(std::move(kept_operands), std::move(attrs),
                  std::make_shared<Func>(std::move(body).finish(std::move(body_results))), names);
  for (size_t i = 0; i < kept.size(); ++i) results[kept[i]] = out[i];
  return results;
}

AfterScan::AfterScan(const Func& func, const Op& op, std::vector<Value> operands, Flags keep_results,
                     Flags moved)
    : func_(func),
      op_(op),
      scan_(op),
      operands_(std::move(operands)),
      steps_(trip_count(func, op)),
      keep_(std::move(keep_results)),
      moved_(std::move(moved)),
      changing_(changing_values(scan_)),
      needed_(scan_.body.values.size()),
      source_(scan_.body.values.size(), Source::none),
      outside_(scan_.body.values.size()) {}

bool AfterScan::can_make(const Op& op) const {
  if (!changing_[op.result().id]) return true;  // once, of consts
  Flags stacked;
  for (Value v : op.operands) {
    if (source_[v.id] == Source::none) return false;
    stacked.push_back(changing_[v.id]);
  }
  return def_of(op.kind).cheap && can_vectorize(op, stacked);
}

void AfterScan::choose() {
  const Func& body = scan_.body;
  for (uint32_t i = 0; i < operands_.size(); ++i)
    if (i < scan_.consts || i >= scan_.consts + scan_.carries) source_[body.params[i].id] = Source::operand;
  for (uint32_t i = scan_.carries; i < op_.result_count; ++i)
    if (Value v = body.results[i]; keep_[i] && changing_[v.id] && source_[v.id] == Source::none)
      source_[v.id] = Source::y;
  for (const Op& op : body.ops)
    if (moved_[op.result().id])
      for (Value v : op.operands) needed_[v.id] = true;
  for (uint32_t id = 0; id < body.values.size(); ++id) {
    Source& source = source_[id];
    if (source != Source::none) continue;
    const Op* op = body.def({id});
    if (op && (moved_[id] || can_make(*op))) {
      source = Source::made;
    } else if (needed_[id]) {
      source = Source::y;
      further_ys_.push_back({id});
    }
  }
  for (uint32_t id = static_cast<uint32_t>(body.values.size()); id-- > 0;)
    if (needed_[id] && source_[id] == Source::made)
      for (Value v : body.def({id})->operands) needed_[v.id] = true;
}

void AfterScan::emit(Builder& b) {
  choose();
  const Func& body = scan_.body;
  results_ = emit_scan_with(b, func_, op_, operands_, keep_, further_ys_);
  for (uint32_t i = 0; i < operands_.size(); ++i)
    if (const Value v = body.params[i]; source_[v.id] == Source::operand)
      outside_[v.id] = {operands_[i], i >= scan_.consts};
  for (uint32_t i = scan_.carries; i < op_.result_count; ++i)
    if (const Value v = body.results[i]; source_[v.id] == Source::y && results_[i])
      outside_[v.id] = {results_[i], true};
  for (size_t i = 0; i < further_ys_.size(); ++i)
    outside_[further_ys_[i].id] = {results_[op_.result_count + i], true};
  for (const Op& op : body.ops) {
    if (source_[op.result().id] != Source::made || !(any_result(op, needed_) || moved_[op.result().id]))
      continue;
    std::vector<Outside> in;
    for (Value v : op.operands) in.push_back(outside_[v.id]);
    const std::vector<Outside> out = vectorize(b, body, op, in, steps_);
    for (uint32_t i = 0; i < op.result_count; ++i) outside_[op.result(i).id] = out[i];
  }
}

}  // namespace rondo::passes
