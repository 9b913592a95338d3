// Compiled code on disk, so that what was compiled once need not be compiled by the next process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::codegen {

/// A folder with one file an entry, named by the digest of its key. Any number of processes may use it at a
/// time: a file appears whole, by a rename, and begins with the digest of all that follows. Nothing that is
/// wrong with the folder or a file is an error: what cannot be read is not there, what cannot be written is
/// not kept.
///
/// Since code from it is executed, folder and files must be this user's, and nobody else may write to them.
class CodeCache {
 public:
  /// Bytes of all entries, beyond which those go that were not used for longest.
  static constexpr uint64_t kLimit = 256 << 20;

  /// An empty directory keeps nothing.
  explicit CodeCache(std::string directory, uint64_t limit = kLimit);
  /// $RONDO_CACHE, where `off` keeps nothing; else $XDG_CACHE_HOME/rondo; else ~/.cache/rondo.
  static CodeCache of_environment();

  bool on() const { return !directory_.empty(); }
  /// What was kept under the key, byte by byte.
  std::optional<std::string> find(std::string_view key) const;
  void keep(std::string_view key, std::string_view code) const;
  /// Why the folder cannot be used, for people; empty if it can or is not there yet.
  std::string problem() const;

 private:
  void evict(int folder) const;

  std::string directory_;
  uint64_t limit_;
};

}  // namespace rondo::codegen
