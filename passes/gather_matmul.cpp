// Rows of a product are products of rows:  matmul(gather(E, ids), W) = gather(matmul(E, W), ids).  The right
// side computes each row of E once, however often it is used, and each element by the same sum.
#include "passes/copier.h"
#include "passes/liveness.h"
#include "passes/passes.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// A table of so few rows is smaller than what any training step looks up.
constexpr int64_t kSmallTable = 1024;

/// Whether the table has fewer rows than there are ids: known where all dims are numbers, assumed for small
/// tables where a dim has a name.
bool has_fewer_rows(const Type& table, const Type& ids, bool in_scan) {
  if (table.rank() != 2 || table.shape[0].is_named()) return false;
  const int64_t rows = table.shape[0].size();
  if (in_scan) return rows <= kSmallTable;  // every step looks up again
  int64_t count = 1;
  for (const Dim& d : ids.shape) {
    if (d.is_named()) return rows <= kSmallTable;
    count *= d.size();
  }
  return rows < count;
}

/// `changing` flags values that change from step to step: products of them are not made once for all steps.
/// Empty outside of scans.
Func rewrite(const Func& func, const Flags& changing) {
  auto is_fixed = [&](Value v) { return changing.empty() || !changing[v.id]; };
  return rebuild(func, [&](Builder& b, ValueMap& map, const Op& op) {
    if (op.kind == OpKind::scan) {
      Op inner = op;
      inner.body = std::make_shared<Func>(rewrite(*op.body, changing_values(ScanView(op))));
      return map.set_results(op, b.copy(func, inner, map.operands(op)));
    }
    const Op* gather = op.kind == OpKind::matmul && !op.attrs.ta ? func.def(op.operands[0]) : nullptr;
    if (!gather || gather->kind != OpKind::gather) return map.copy(b, op);
    const Value table = gather->operands[0], ids = gather->operands[1], right = op.operands[1];
    if (!has_fewer_rows(func.type(table), func.type(ids), !changing.empty()) || !is_fixed(table) ||
        !is_fixed(right))
      return map.copy(b, op);
    map[op.result()] = b.gather(b.matmul(map[table], map[right], false, op.attrs.tb), map[ids]);
    b.set_name(map[op.result()], func.value_name(op.result()));
  });
}

}  // namespace

Func gather_matmul(const Func& func, const Options&) { return rewrite(func, {}); }

}  // namespace rondo::passes
