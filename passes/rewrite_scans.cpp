#include "passes/rewrite_scans.h"

#include "passes/copier.h"

namespace rondo::passes {

using namespace ir;

Func rewrite_scans(const Func& func, const ScanRewrite& rewrite, bool windows) {
  return rebuild(func, [&](Builder& b, ValueMap& map, const Op& op) {
    if (op.kind != OpKind::scan) return map.copy(b, op);
    Op inner = op;
    inner.body = std::make_shared<Func>(rewrite_scans(*op.body, rewrite, windows));
    const bool stays = op.attrs.lengths || (op.attrs.window.is_named() && !windows);
    map.set_results(op, stays ? b.copy(func, inner, map.operands(op))
                              : rewrite(b, func, inner, map.operands(op)));
  });
}

}  // namespace rondo::passes
