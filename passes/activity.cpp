#include "passes/activity.h"

#include "ir/op_def.h"

namespace rondo::passes {

using namespace ir;

Flags varied_values(const Func& func, const Flags& params) {
  Flags varied(func.values.size());
  auto is_float_value = [&](Value v) { return is_float(func.type(v).dtype); };
  for (size_t i = 0; i < func.params.size(); ++i)
    varied[func.params[i].id] = params[i] && is_float_value(func.params[i]);
  for (const Op& op : func.ops) {
    if (op.kind == OpKind::scan) {
      const ScanView scan(op);
      Flags operands;
      for (Value v : op.operands) operands.push_back(varied[v.id]);
      const Flags body = varied_values(scan.body, varied_body_params(scan, std::move(operands)));
      for (uint32_t i = 0; i < op.result_count; ++i) varied[op.result(i).id] = body[scan.body.results[i].id];
      for (uint32_t i = 0; i < scan.carries; ++i)
        varied[scan.final_carry(i).id] |= body[scan.carry_param(i).id];
    } else if (def_of(op.kind).grad) {
      for (Value v : op.operands) varied[op.result().id] |= varied[v.id];
      varied[op.result().id] &= is_float_value(op.result());
    }
  }
  return varied;
}

Flags useful_values(const Func& func, const Flags& results) {
  Flags useful(func.values.size());
  for (size_t i = 0; i < func.results.size(); ++i) useful[func.results[i].id] |= results[i];
  for (size_t k = func.ops.size(); k-- > 0;) {
    const Op& op = func.ops[k];
    if (op.kind == OpKind::scan) {
      const ScanView scan(op);
      Flags outputs;
      for (uint32_t i = 0; i < op.result_count; ++i) outputs.push_back(useful[op.result(i).id]);
      const Flags body = useful_values(scan.body, useful_body_results(scan, std::move(outputs)));
      for (size_t i = 0; i < op.operands.size(); ++i)
        useful[op.operands[i].id] |= body[scan.body.params[i].id];
      for (uint32_t i = 0; i < scan.carries; ++i) useful[scan.init(i).id] |= useful[scan.final_carry(i).id];
    } else if (def_of(op.kind).grad && useful[op.result().id]) {
      for (Value v : op.operands) useful[v.id] |= is_float(func.type(v).dtype);
    }
  }
  return useful;
}

Flags varied_body_params(const ScanView& scan, Flags operands) {
  for (bool changed = scan.carries > 0; changed;) {
    changed = false;
    const Flags body = varied_values(scan.body, operands);
    for (uint32_t i = 0; i < scan.carries; ++i) {
      char& carry = operands[scan.consts + i];
      if (!carry && body[scan.next(i).id]) carry = changed = true;
    }
  }
  return operands;
}

Flags useful_body_results(const ScanView& scan, Flags results) {
  for (bool changed = scan.carries > 0; changed;) {
    changed = false;
    const Flags body = useful_values(scan.body, results);
    for (uint32_t i = 0; i < scan.carries; ++i)
      if (!results[i] && body[scan.carry_param(i).id]) results[i] = changed = true;
  }
  return results;
}

}  // namespace rondo::passes
