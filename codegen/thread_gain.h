// Whether a call is long enough for several threads.
#pragma once

#include "ir/loops.h"

namespace rondo::codegen {

/// A rough time in picoseconds that the threads of a program save against one alone; negative where waiting
/// costs more. A polynomial in the named dims.
ir::Poly time_saved(const ir::LoopProgram&);

}  // namespace rondo::codegen
