// Whether a call is long enough for several threads.
#pragma once

#include "ir/loops.h"

namespace rondo::codegen {

/// Polynomials in the named dims.
struct ThreadGain {
  ir::Poly saved;  // a rough time in picoseconds that threads which need not wait save against one alone
  ir::Poly waits;  // how often all wait for each other
};
ThreadGain thread_gain(const ir::LoopProgram&);

/// What a wait takes, in the times of one on its own: it brings lines of memory from the other cores, too.
inline constexpr int64_t kTimesOfWait = 3;

}  // namespace rondo::codegen
