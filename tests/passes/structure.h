// Questions about the structure of functions, for tests of passes.
#pragma once

#include <algorithm>
#include <vector>

#include "ir/func.h"

namespace rondo::test {

/// The scans of the function itself, in order.
inline std::vector<const ir::Op*> scans_of(const ir::Func& func) {
  std::vector<const ir::Op*> scans;
  for (const ir::Op& op : func.ops)
    if (op.kind == ir::OpKind::scan) scans.push_back(&op);
  return scans;
}

/// Ops of a kind in the function itself, not in bodies.
inline long count(const ir::Func& func, ir::OpKind kind) {
  return std::count_if(func.ops.begin(), func.ops.end(), [&](const ir::Op& op) { return op.kind == kind; });
}

/// Ops of a kind in the bodies of scans, at any depth.
inline long count_in_scans(const ir::Func& func, ir::OpKind kind) {
  long n = 0;
  for (const ir::Op& op : func.ops)
    if (op.body) n += count(*op.body, kind) + count_in_scans(*op.body, kind);
  return n;
}

}  // namespace rondo::test
