// Two ways to compute one gradient, of which a call takes the one whose memory fits.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ir/poly.h"
#include "runtime/executable.h"

namespace rondo::codegen {

/// A function compiled twice, and how much memory what it keeps of its steps may take.
struct StashBudget {
  std::shared_ptr<const Executable> whole;    // keeps what its gradient needs of each step
  std::shared_ptr<const Executable> windows;  // keeps the carries between windows (passes/recompute.cpp)
  std::string longest;                        // the dim of `windows` that says how many steps one has
  std::vector<std::string> steps;             // the dims that are cut into windows
  int64_t bytes = 0;                          // of scratch that grows with the dims of `steps`
  ir::Poly whole_work, windows_work;          // multiply-adds
};

/// How a call keeps within its budget.
struct StashChoice {
  int64_t longest = 0;      // steps of a window, but for the last one; 0: no windows
  int64_t bytes = 0;        // of scratch that grows with the steps
  int64_t whole_bytes = 0;  // the same without windows
};

/// Without windows where that fits; else with the fewest windows that fit and that caches hold, or just fit.
/// None if any number of windows takes more. `dims` are those of budget.whole's signature.
std::optional<StashChoice> choose_stash(const StashBudget& budget, const int64_t* dims);

/// Chooses at each call; with RONDO_TIME=1 it tells at each change of the dims what it chose. scratch_bytes
/// throws Error where no choice keeps within the budget.
std::shared_ptr<const Executable> within_budget(StashBudget budget);
/// The budget of such an executable; null for any other.
const StashBudget* stash_budget_of(const Executable&);

}  // namespace rondo::codegen
