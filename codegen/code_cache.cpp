#include "codegen/code_cache.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codegen/compiler_id.h"
#include "support/environment.h"

namespace rondo::codegen {

namespace {

namespace fs = std::filesystem;

constexpr size_t kDigest = 32;
constexpr std::string_view kSuffix = ".code";

/// A file descriptor, or none.
class Handle {
 public:
  explicit Handle(int fd) : fd_(fd) {}
  ~Handle() {
    if (fd_ >= 0) ::close(fd_);
  }
  Handle(Handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&&) = delete;
  operator int() const { return fd_; }  // NOLINT: as the system calls take it

 private:
  int fd_;
};

/// Whether nobody but this user can have written it.
bool is_own(const struct stat& info) {
  return info.st_uid == ::geteuid() && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

Handle open_folder(const std::string& directory) {
  Handle folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info = {};
  if (folder >= 0 && ::fstat(folder, &info) == 0 && is_own(info)) return folder;
  return Handle(-1);
}

/// The folder, and those above it that are missing; readable by this user alone.
void make_folders(const fs::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno != ENOENT || !directory.has_parent_path()) return;
  make_folders(directory.parent_path());
  ::mkdir(directory.c_str(), 0700);
}

std::string file_name(std::string_view key_digest) {
  std::string name;
  for (const char c : key_digest) name += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return name.append(kSuffix);
}

/// Whether a name is that of an entry, or of one that is being written: a folder may hold other files, too.
bool is_entry(std::string_view name) {
  const std::string_view hex = name.substr(0, 2 * kDigest);
  return hex.size() == 2 * kDigest && hex.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         name.substr(2 * kDigest).starts_with(kSuffix);
}

bool read_all(int file, std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::read(file, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

/// Beyond a limit on the size of files, a write would end the process.
bool may_write(uint64_t bytes) {
  struct rlimit limit = {};
  return ::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= bytes;
}

}  // namespace

CodeCache::CodeCache(std::string directory, uint64_t limit)
    : directory_(std::move(directory)), limit_(limit) {}

CodeCache CodeCache::of_environment() {
  if (const std::string own = environment("RONDO_CACHE"); !own.empty())
    return CodeCache(own == "off" ? "" : own);
  // The XDG Base Directory Specification ignores paths that are relative.
  if (const std::string all = environment("XDG_CACHE_HOME"); all.starts_with('/'))
    return CodeCache(all + "/rondo");
  const std::string home = environment("HOME");
  return CodeCache(home.empty() ? "" : home + "/.cache/rondo");
}

std::string CodeCache::problem() const {
  struct stat info = {};
  if (!on()) return "";
  if (::stat(directory_.c_str(), &info) != 0)
    return errno == ENOENT ? "" : fmt::format("{}: {}", directory_, std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) return fmt::format("{}: is no folder", directory_);
  return is_own(info) ? "" : fmt::format("{}: others can write to it", directory_);
}

std::optional<std::string> CodeCache::find(std::string_view key) const {
  if (!on()) return std::nullopt;
  const Handle folder = open_folder(directory_);
  if (folder < 0) return std::nullopt;
  const std::string id = digest(key);
  const Handle file(::openat(folder, file_name(id).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info = {};
  if (file < 0 || ::fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || !is_own(info)) return std::nullopt;
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size < 2 * kDigest || size > limit_) return std::nullopt;
  std::string bytes(size, '\0');
  if (!read_all(file, bytes)) return std::nullopt;
  const std::string_view sum = std::string_view(bytes).substr(0, kDigest);
  const std::string_view rest = std::string_view(bytes).substr(kDigest);
  if (digest(rest) != sum || !rest.starts_with(id)) return std::nullopt;
  ::futimens(file, nullptr);  // eviction goes by the time of the last use
  return bytes.substr(2 * kDigest);
}

void CodeCache::keep(std::string_view key, std::string_view code) const {
  const uint64_t size = code.size() + 2 * kDigest;
  if (!on() || size > limit_ || !may_write(size)) return;
  make_folders(directory_);
  const Handle folder = open_folder(directory_);
  if (folder < 0) return;
  const std::string id = digest(key), name = file_name(id);
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  const std::string new_name = fmt::format("{}.{}-{}", name, ::getpid(), now);
  const std::string rest = id + std::string(code);
  {
    const Handle file(::openat(folder, new_name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file < 0) return;
    if (!write_all(file, digest(rest)) || !write_all(file, rest) ||
        ::renameat(folder, new_name.c_str(), folder, name.c_str()) != 0) {
      ::unlinkat(folder, new_name.c_str(), 0);
      return;
    }
  }
  evict(folder);
}

void CodeCache::evict(int folder) const {
  struct Entry {
    std::string name;
    uint64_t bytes;
    int64_t seconds, nanoseconds;  // of the last use
  };
  std::vector<Entry> entries;
  uint64_t sum = 0;
  DIR* listing = ::fdopendir(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!listing) return;
  while (const dirent* d = ::readdir(listing)) {
    struct stat info = {};
    if (!is_entry(d->d_name) || ::fstatat(folder, d->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    entries.push_back(
        {d->d_name, static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec});
    sum += entries.back().bytes;
  }
  ::closedir(listing);
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(e.seconds, e.nanoseconds); });
  for (size_t i = 0; i < entries.size() && sum > limit_; ++i) {
    ::unlinkat(folder, entries[i].name.c_str(), 0);
    sum -= entries[i].bytes;
  }
}

}  // namespace rondo::codegen
