#include "frontend/library/output_files.h"

#include <fmt/format.h>

#include <memory>

#include "runtime/files.h"
#include "support/error.h"

namespace rondo::library {

namespace fs = std::filesystem;

namespace {

/// Folders that are made for files, and go again unless they are kept.
class NewFolders {
 public:
  NewFolders() = default;
  NewFolders(const NewFolders&) = delete;
  NewFolders& operator=(const NewFolders&) = delete;
  ~NewFolders() {
    std::error_code ignored;
    for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) fs::remove(*folder, ignored);
  }

  /// The folder, and those above it that are missing.
  void make(const fs::path& folder) {
    std::error_code failed;
    if (folder.empty() || fs::exists(folder, failed)) return;
    make(folder.parent_path());
    if (fs::create_directory(folder, failed)) made_.push_back(folder);
    if (failed) throw Error(fmt::format("rondo: {}: {}", folder.string(), failed.message()));
  }
  void keep() { made_.clear(); }

 private:
  std::vector<fs::path> made_;
};

}  // namespace

void OutputFiles::add(const std::string& name, std::span<const std::byte> bytes) {
  files_.push_back({directory_ / name, {bytes.begin(), bytes.end()}});
}

std::vector<std::string> OutputFiles::write() const {
  NewFolders folders;
  std::vector<std::unique_ptr<OutputFile>> outputs;
  std::vector<std::string> paths;
  for (const auto& [path, bytes] : files_) {
    folders.make(path.parent_path());
    std::error_code unknown;
    if (fs::is_directory(path, unknown)) throw Error(fmt::format("rondo: {}: is a folder", path.string()));
    outputs.push_back(std::make_unique<OutputFile>(path.string()));
    outputs.back()->write(bytes);
    paths.push_back(path.string());
  }
  for (auto& output : outputs) output->sync();
  for (auto& output : outputs) output->commit();
  folders.keep();
  return paths;
}

}  // namespace rondo::library
