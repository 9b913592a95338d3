// The files of a library, which appear together or not at all.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace rondo::library {

/// Collects files, then writes all: beside their places at first, and moved there when all are on the disk.
/// If one cannot be written, the folder is as it was, and is not there if it was not.
class OutputFiles {
 public:
  explicit OutputFiles(const std::string& directory) : directory_(directory) {}

  /// A path in the directory, and what the file is to hold.
  void add(const std::string& name, std::span<const std::byte> bytes);
  void add(const std::string& name, const std::string& text) { add(name, std::as_bytes(std::span(text))); }

  /// Gives the paths. Throws Error with the path and the system's reason.
  std::vector<std::string> write() const;

 private:
  struct File {
    std::filesystem::path path;
    std::vector<std::byte> bytes;
  };
  std::filesystem::path directory_;
  std::vector<File> files_;
};

}  // namespace rondo::library
