#include "support/skip.h"

#include "support/environment.h"

namespace rondo {

bool is_skipped(std::string_view name) {
  const std::string set = environment("RONDO_SKIP");
  std::string_view names = set;
  while (!names.empty()) {
    const size_t comma = names.find(',');
    if (names.substr(0, comma) == name) return true;
    names = comma == std::string_view::npos ? "" : names.substr(comma + 1);
  }
  return false;
}

}  // namespace rondo
