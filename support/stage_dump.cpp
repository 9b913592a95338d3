#include "support/stage_dump.h"

#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <fstream>

#include "support/environment.h"
#include "support/error.h"

namespace rondo {
namespace {

/// Any name as the name of a directory: one that no path can come of.
std::string directory_name(std::string_view name) {
  std::string text = name.empty() || name.front() == '.' ? "_" : "";
  for (char c : name) text += std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' ? c : '_';
  return text;
}

}  // namespace

StageDump::StageDump(std::string_view dir, std::string_view function) : dir_(dir) {
  if (dir_.empty()) dir_ = environment("RONDO_DUMP");
  if (on()) dir_ += fmt::format("/{}", directory_name(function));
}

void StageDump::write(std::string_view file, std::string_view text) const {
  if (!on()) return;
  const std::string path = fmt::format("{}/{}", dir_, file);
  std::error_code ignored;  // the file's own failure says more
  std::filesystem::create_directories(dir_, ignored);
  std::ofstream out(path);
  out << text;
  if (!out.flush()) throw Error(fmt::format("rondo: cannot write {}", path));
}

}  // namespace rondo
