// The stages of a function's compilation as text files, for those who want to look.
#pragma once

#include <string>
#include <string_view>

namespace rondo {

/// Writes to <dir>/<function>/; to nowhere if there is no dir.
class StageDump {
 public:
  /// An empty dir means the one in RONDO_DUMP, if that is set.
  StageDump(std::string_view dir, std::string_view function);

  bool on() const { return !dir_.empty(); }
  /// Throws Error if the file cannot be written.
  void write(std::string_view file, std::string_view text) const;

 private:
  std::string dir_;
};

}  // namespace rondo
