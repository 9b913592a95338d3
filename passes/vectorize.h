// Ops of a scan's body, run for all steps at once.
#pragma once

#include <span>
#include <vector>

#include "ir/builder.h"

namespace rondo::passes {

/// A value of a scan's body, seen from outside: stacked along a leading T, or the same at every step.
struct Outside {
  ir::Value value;
  bool stacked = false;
};

/// Whether the op can run for all steps at once, given which of its operands are stacked.
bool can_vectorize(const ir::Op& op, std::span<const char> stacked);

/// Emits the op of `body` for all steps at once and returns its results. If no operand is stacked, it is
/// emitted as it is and is the same at every step.
std::vector<Outside> vectorize(ir::Builder& b, const ir::Func& body, const ir::Op& op,
                               std::span<const Outside> in, const ir::Dim& steps);

/// The value with a leading T; repeats what is the same at every step.
ir::Value stacked(ir::Builder& b, const Outside& v, const ir::Dim& steps);

}  // namespace rondo::passes
