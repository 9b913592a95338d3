// Ops over all steps as ops over a window of them.
#pragma once

#include <optional>
#include <vector>

#include "ir/func.h"

namespace rondo::passes {

/// An op whose result at a step needs its operands at that step only, or that sums over the steps.
struct OverWindow {
  ir::Attrs attrs;            // of the op over `window` steps
  std::vector<char> stacked;  // per operand: has a leading dim of steps, of which a window is enough
  bool sums = false;          // the result is a sum over the steps
};

/// The op of `func`, which has `steps` in front of its result or sums over them, for a window; none where it
/// mixes steps. Scans are not asked for.
std::optional<OverWindow> over_window(const ir::Func& func, const ir::Op& op, const ir::Dim& steps,
                                      const ir::Dim& window);

}  // namespace rondo::passes
