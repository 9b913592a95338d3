// Chooses how each kernel runs. Only annotates: results never depend on it.
#pragma once

#include "codegen/loops/program_builder.h"
#include "codegen/loops/schedule_choice.h"
#include "codegen/target.h"

namespace rondo::codegen {

/// Matrix products get the gemm form. Inside a loop that leaves their right operand alone, it is packed once
/// before the loop; outside of loops, large ones are blocked for the caches.
/// Of inputs that are constants, packed copies are asked for instead (LoopProgram::prepared).
/// What `choice` tells is not chosen. Loops that may run by points are marked (point_loops.h).
/// `keeps_scratch`: a call finds its scratch memory as the last one left it, so that what that one read last,
/// and what is near, is read first. Whatever stands there, results are the same.
void schedule(ProgramBuilder&, const Target&, const std::vector<uint32_t>& constants = {},
              const ScheduleChoice& choice = {}, bool keeps_scratch = false);

}  // namespace rondo::codegen
