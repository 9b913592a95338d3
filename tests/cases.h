// Where the cases are that this project did not write: tests read them, and skip where they are not.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace rondo::testing {

/// A path under the folder that RONDO_CASES names, or else ../shared/cases beside the sources; empty if it is
/// not there.
inline std::filesystem::path case_path(const std::filesystem::path& relative) {
  const char* named = std::getenv("RONDO_CASES");
  const std::filesystem::path root =
      named ? std::filesystem::path(named) : std::filesystem::path(RONDO_SOURCE_DIR) / "../shared/cases";
  return std::filesystem::exists(root / relative) ? root / relative : std::filesystem::path();
}

}  // namespace rondo::testing

/// Skips the test unless `path` is there.
#define RONDO_NEED_CASE(path) \
  if ((path).empty()) GTEST_SKIP() << "the cases are not here; RONDO_CASES names their folder"
