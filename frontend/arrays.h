// Buffers as the reference evaluator takes them.
#pragma once

#include "ir/op_def.h"
#include "runtime/weights.h"

namespace rondo {

/// A copy of the elements.
ir::Array array_of(const Buffer& buffer);

}  // namespace rondo
