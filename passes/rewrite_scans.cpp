#include "passes/rewrite_scans.h"

namespace rondo::passes {

using namespace ir;

Func rewrite_scans(const Func& func, const ScanRewrite& rewrite) {
  Builder b(func.name);
  std::vector<Value> map(func.values.size());
  for (Value v : func.params) map[v.id] = b.param(func.type(v), func.value_name(v));
  for (const Op& op : func.ops) {
    std::vector<Value> operands, results;
    for (Value v : op.operands) operands.push_back(map[v.id]);
    if (op.kind == OpKind::scan) {
      Op inner = op;
      inner.body = std::make_shared<Func>(rewrite_scans(*op.body, rewrite));
      results = rewrite(b, func, inner, std::move(operands));
    } else {
      results = b.copy(func, op, std::move(operands));
    }
    for (uint32_t i = 0; i < op.result_count; ++i) map[op.result(i).id] = results[i];
  }
  std::vector<Value> results;
  for (Value v : func.results) results.push_back(map[v.id]);
  return std::move(b).finish(std::move(results));
}

}  // namespace rondo::passes
