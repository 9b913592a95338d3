#include "codegen/loops/schedule_choice.h"

#include <fmt/format.h>

#include <charconv>

#include "support/error.h"

namespace rondo::codegen {

namespace {

/// Tiles have pieces for the rows that are left at the end, of less than twice eight.
constexpr int64_t kMostRows = 15, kMostVectors = 8, kMostPanel = 1 << 14;

/// The number at the front of a text, which loses it; 0 where there is none.
int64_t take_number(std::string_view& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return 0;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

/// One part; false where it is none.
bool read_part(std::string_view part, ScheduleChoice& choice) {
  if (take(part, "tile=")) {
    choice.rows = take_number(part);
    if (!take(part, "x")) return false;
    choice.vectors = take_number(part);
    return part.empty() && choice.rows >= 2 && choice.rows <= kMostRows && choice.vectors >= 1 &&
           choice.vectors <= kMostVectors;
  }
  if (!take(part, "panel=")) return false;
  choice.panel_kb = take_number(part);
  return part.empty() && choice.panel_kb >= 1 && choice.panel_kb <= kMostPanel;
}

}  // namespace

ScheduleChoice parse_schedule(std::string_view text) {
  ScheduleChoice choice;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    if (!read_part(rest.substr(0, comma), choice))
      throw Error(
          fmt::format("rondo: schedule `{}`: not tile=ROWSxVECTORS (2..{} and 1..{}) and panel=KB (1..{}), "
                      "parted by commas",
                      text, kMostRows, kMostVectors, kMostPanel));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return choice;
}

std::string to_string(const ScheduleChoice& choice) {
  std::string text;
  if (choice.rows > 0) text = fmt::format("tile={}x{}", choice.rows, choice.vectors);
  if (choice.panel_kb > 0) text += fmt::format("{}panel={}", text.empty() ? "" : ",", choice.panel_kb);
  return text;
}

std::vector<ScheduleChoice> tiles_to_try(const Target& target) {
  std::vector<ScheduleChoice> choices;
  // Tiles of about one length and height load least for each multiply-add: these first, then narrower ones.
  for (int64_t vectors = 4; vectors >= 2; --vectors) {
    // Sums, a row's vectors of right operands and one left operand are in registers together. Where a left
    // one comes straight from memory there is room for a row more.
    const int64_t fits = (target.vector_registers - vectors - 1) / vectors;
    for (int64_t rows = fits + 1; rows >= fits - 2 && rows >= 2; --rows)
      if (rows <= kMostRows) choices.push_back({rows, vectors, 0});
  }
  return choices;
}

std::vector<ScheduleChoice> panels_to_try(const ScheduleChoice& tile) {
  std::vector<ScheduleChoice> choices;
  for (const int64_t panel_kb : {32, 64, 256, 512}) choices.push_back({tile.rows, tile.vectors, panel_kb});
  return choices;
}

}  // namespace rondo::codegen
