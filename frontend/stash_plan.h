// What a program with a limited stash does with its steps.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/program.h"

namespace rondo {

struct StashPlan {
  int64_t window = 0;       // steps of a window, but for the last one; 0: the steps are in no windows
  int64_t bytes = 0;        // of memory for what is kept of the steps
  int64_t whole_bytes = 0;  // the same without windows
  double work = 1;          // multiply-adds of a call, over those without windows
};

/// Of the program's next call, for its dims, which are all set. The program was compiled with stash_bytes.
/// Throws Error where it was not.
StashPlan stash_plan(const Program&);
std::string to_string(const StashPlan&);  // "windows of 1450 steps: 61.2 MB instead of 452.1 MB, 1.31 times
                                          // the multiply-adds"

}  // namespace rondo
