// Schedules of a function measured on this machine.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "frontend/compile.h"

namespace rondo {

struct TuneOptions {
  BuildOptions build = {};  // as the function is compiled later: the schedule is kept for just that
  ir::DimValues dims = {};  // of the calls that are measured
  std::function<void(Program&)> fill = {};  // gives the inputs values; without, they are zero
  int64_t rounds = 9;                       // in each, every schedule has a turn
  double turn_seconds = 5e-3;
};

struct TuneReport {
  struct Trial {
    std::string schedule;  // as in BuildOptions; empty: what the model of the machine chooses
    double seconds = 0;    // a call, the median of all rounds
  };
  std::vector<Trial> trials;
  std::string kept;  // empty: the model's choice, as no other was 2 % faster
};

/// Tries register tiles, then panels with the best tile, and keeps the fastest in the code cache, where
/// `compile` finds it for the same function and options. The weights stay as they are. Throws Error where
/// nothing can be kept, or RONDO_SCHEDULE decides.
TuneReport tune(const Function& function, const Weights& weights, const TuneOptions& options);

}  // namespace rondo
