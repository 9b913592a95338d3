// The functions of a library that move memory: init, prepare, reset, save, restore.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/library/plan.h"

namespace rondo::library {

/// Where the caller's blocks start, and a multiple of which all offsets in them are.
inline constexpr uint32_t kAlign = 64;

/// Those that the plan's layouts ask for. `initial_weights`: init finds them as the library's first constant.
/// Saved states are told apart by the hash.
std::vector<codegen::Service> plan_services(const Plan&, bool initial_weights, uint64_t hash);

}  // namespace rondo::library
