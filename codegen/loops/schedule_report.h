// A schedule as text: how each kernel runs, what it costs at least, and why it was chosen so.
#pragma once

#include <string>

#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// One paragraph a kernel, in the order of the program. Costs are of one run of the kernel, in the named
/// dims: multiply-adds, the cycles that they take at two vectors a cycle, and bytes that its loads and stores
/// reach once each.
std::string schedule_report(const ir::LoopProgram&, const Target&);

}  // namespace rondo::codegen
