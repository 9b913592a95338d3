// Loops over time of which every point can walk all steps by itself.
#pragma once

#include <optional>
#include <vector>

#include "ir/loops.h"

namespace rondo::codegen {

/// What one point carries from a step to the next: what store `store` writes, `loads` read one step later.
struct Carried {
  size_t store;
  std::vector<ir::NodeId> loads;
  bool stacked;  // each step writes its own element; else one element is overwritten
};

/// The carried elements of a loop whose body is one kernel without accumulators that reads, of what it
/// writes, only what the same point wrote one step before, or writes over itself. Then no point needs
/// another: points may be the outer loop and steps the inner one, with the carried elements in registers and
/// every bit as before. Nothing for other loops.
std::optional<std::vector<Carried>> carried_elements(const ir::Loop& loop);

/// One step of a carried element h is  a h + b; a and b do not depend on what is carried.
struct LinearStep {
  ir::NodeId a = ir::kNone;  // kNone: 1
  ir::NodeId b = ir::kNone;  // kNone: 0
};

/// The steps of all carried elements of such a loop, if all are written so. There is at least one.
std::optional<std::vector<LinearStep>> linear_steps(const ir::Loop& loop);

}  // namespace rondo::codegen
