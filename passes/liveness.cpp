#include "passes/liveness.h"

#include "ir/op_def.h"

namespace rondo::passes {

using namespace ir;

bool any_result(const Op& op, const Flags& values) {
  for (uint32_t i = 0; i < op.result_count; ++i)
    if (values[op.result(i).id]) return true;
  return false;
}

Flags live_values(const Func& func) {
  Flags live(func.values.size());
  for (Value v : func.results) live[v.id] = true;
  for (size_t k = func.ops.size(); k-- > 0;)
    if (any_result(func.ops[k], live))
      for (Value v : func.ops[k].operands) live[v.id] = true;
  return live;
}

Flags changing_values(const ScanView& scan) {
  Flags changing(scan.body.values.size());
  for (uint32_t i = scan.consts; i < scan.body.params.size(); ++i) changing[scan.body.params[i].id] = true;
  for (const Op& op : scan.body.ops)
    for (uint32_t i = 0; i < op.result_count; ++i)
      for (Value v : op.operands) changing[op.result(i).id] |= changing[v.id];
  return changing;
}

Flags normalising_values(const Func& func) {
  Flags brought_back(func.values.size()), normalising(func.values.size());
  for (size_t k = func.ops.size(); k-- > 0;) {
    const Op& op = func.ops[k];
    const uint32_t id = op.result().id;
    const OpClass cls = def_of(op.kind).cls;
    normalising[id] = cls == OpClass::reduction && brought_back[id];
    if (op.kind != OpKind::broadcast && !(cls == OpClass::pointwise && brought_back[id])) continue;
    for (Value v : op.operands) brought_back[v.id] = true;
  }
  return normalising;
}

}  // namespace rondo::passes
