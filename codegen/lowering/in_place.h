// Lets an update overwrite what it updates, where nothing still reads the old value.
#pragma once

#include <vector>

#include "codegen/lowering/kernel_builder.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// stmts compute a new value into the buffer `temporary`, which is then to be copied over `target`, while
/// `old` is the buffer that holds the old value (target's own, or an argument that shares its memory). If no
/// statement reads `old` once the first element is written, or only the writing kernel does, each element
/// just before it overwrites it, then all accesses to `temporary` become accesses to `target` and the result
/// is true: no copy is needed.
bool update_in_place(std::vector<ir::Stmt>& stmts, ir::BufferId temporary, const View& target,
                     ir::BufferId old);

}  // namespace rondo::codegen
