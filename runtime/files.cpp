#include "runtime/files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/error.h"

namespace rondo {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what) {
  const int reason = errno;
  throw Error(fmt::format("{}: cannot {}: {}", path, what, std::strerror(reason)));
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: opening a FIFO returns at once, to be refused below.
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) fail(path, "open");
  struct stat info = {};
  const bool known = ::fstat(fd_, &info) == 0;
  if (known && S_ISREG(info.st_mode)) {
    size_ = static_cast<uint64_t>(info.st_size);
    return;
  }
  ::close(fd_);
  if (!known) fail(path, "inspect");
  throw Error(fmt::format("{}: is not a regular file", path));
}

InputFile::~InputFile() { ::close(fd_); }

void InputFile::read(uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t got = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path_, "read");
    if (got == 0) throw Error(fmt::format("{}: ends at byte {}, {} bytes early", path_, offset, into.size()));
    into = into.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
}

OutputFile::OutputFile(const std::string& path)
    : path_(path), new_path_(fmt::format("{}.new-{}", path, ::getpid())) {
  fd_ = ::open(new_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(path_, "create");
}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(new_path_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(path_, "write");
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
}

void OutputFile::sync() {
  if (::fsync(fd_) != 0) fail(path_, "sync");
}

void OutputFile::commit() {
  sync();
  if (::rename(new_path_.c_str(), path_.c_str()) != 0) fail(path_, "replace");
  ::close(fd_);
  fd_ = -1;
  // The rename itself is durable once the directory is. Some file systems cannot sync a directory; the file
  // is whole there, too.
  const std::string parent = std::filesystem::path(path_).parent_path().string();
  const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

}  // namespace rondo
