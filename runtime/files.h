// Files as the runtime needs them: reads of a known size, and writes that replace a file wholly or not at
// all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace rondo {

/// A regular file open for reading. All members throw Error with the path and the system's reason.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  /// Bytes, as they were when the file was opened.
  uint64_t size() const { return size_; }
  /// Fills `into` from the bytes at offset. Throws Error if the file ends before.
  void read(uint64_t offset, std::span<std::byte> into) const;

 private:
  std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

/// A new file beside `path`, which takes its place at commit(); without commit() it goes and the old file
/// stays.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);
  /// Throws Error unless all that was written is on the disk.
  void sync();
  /// Syncs the new file, renames it and syncs the directory: after a power cut there is the old file or the
  /// new one.
  void commit();

 private:
  std::string path_, new_path_;
  int fd_ = -1;
};

}  // namespace rondo
