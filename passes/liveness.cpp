#include "passes/liveness.h"

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

}  // namespace rondo::passes
