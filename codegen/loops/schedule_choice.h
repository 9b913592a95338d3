// What of a schedule may be told rather than left to the model of the machine. Results never depend on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/target.h"

namespace rondo::codegen {

/// As text "tile=6x2,panel=64", each part where it is wanted; an empty text leaves all to the model.
struct ScheduleChoice {
  /// Register tiles of products: rows, and vectors of lanes of all sums of a row together. 0: the model's.
  int64_t rows = 0, vectors = 0;
  /// KB of a panel of packed right operands, of large products. 0: the model's.
  int64_t panel_kb = 0;
};

/// Throws Error for a text that is none, or numbers out of range.
ScheduleChoice parse_schedule(std::string_view text);
std::string to_string(const ScheduleChoice&);

/// Those that a tuner tries: tiles that fill the registers in other shapes; with a tile, sizes of panels.
std::vector<ScheduleChoice> tiles_to_try(const Target&);
std::vector<ScheduleChoice> panels_to_try(const ScheduleChoice& tile);

}  // namespace rondo::codegen
