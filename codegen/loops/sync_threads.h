// Where the threads of a program wait for each other.
#pragma once

#include <vector>

#include "ir/loops.h"
#include "runtime/executable.h"

namespace rondo::codegen {

/// Marks the statements before which all threads have to wait (Stmt::sync): where a thread would else touch
/// memory that another one writes, or write what another one still reads, unless each reaches only elements
/// of its own there. Of split kernels whose memory is planned. Arguments that are aliases share memory.
void sync_threads(ir::LoopProgram&, const std::vector<Signature::Alias>&);

}  // namespace rondo::codegen
