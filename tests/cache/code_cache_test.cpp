// The folder of compiled code: what is wrong with it costs time and never gives wrong code.
#include "codegen/code_cache.h"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "codegen/compiler_id.h"
#include "tests/runtime/util.h"
#include "tests/support/environment.h"
#include "tests/support/shell.h"

namespace rondo::test {
namespace {

namespace fs = std::filesystem;
using codegen::CodeCache;
using Found = std::optional<std::string>;
using rondo::testing::TempDir;

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path().string());
  return files;
}

/// The folder's only file.
std::string only_file(const std::string& folder) {
  const std::vector<std::string> files = files_in(folder);
  EXPECT_EQ(files.size(), 1u);
  return files.at(0);
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

TEST(CodeCache, GivesBackWhatWasKeptUnderTheSameKey) {
  const TempDir dir;
  const CodeCache cache(dir.file("deep/er/cache"));
  EXPECT_EQ(cache.find("key"), Found());
  const std::string code("code\0with zeros\xff", 16);
  cache.keep("key", code);
  cache.keep("other", "");
  EXPECT_EQ(cache.find("key"), Found(code));
  EXPECT_EQ(cache.find("other"), Found(""));
  EXPECT_EQ(cache.find("ke"), Found());
  EXPECT_EQ(CodeCache(dir.file("deep/er/cache")).find("key"), Found(code));
  cache.keep("key", "newer");
  EXPECT_EQ(cache.find("key"), Found("newer"));
  EXPECT_EQ(cache.problem(), "");
}

TEST(CodeCache, FindsNothingInADamagedFile) {
  const TempDir dir;
  const CodeCache cache(dir.file("cache"));
  cache.keep("key", "some code of a function");
  const std::string file = only_file(dir.file("cache")), good = read(file);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    write(file, bad);
    EXPECT_EQ(cache.find("key"), Found()) << "byte " << i;
    write(file, good.substr(0, i));
    EXPECT_EQ(cache.find("key"), Found()) << "cut at " << i;
  }
  write(file, good + "x");
  EXPECT_EQ(cache.find("key"), Found());
  cache.keep("key", "some code of a function");
  EXPECT_EQ(read(file), good);
  EXPECT_EQ(cache.find("key"), Found("some code of a function"));
}

TEST(CodeCache, DoesNotTakeAnEntryForAnother) {
  const TempDir dir;
  const CodeCache cache(dir.file("cache"));
  cache.keep("one", "first");
  const std::string one = only_file(dir.file("cache")), bytes = read(one);
  cache.keep("two", "second");
  for (const std::string& file : files_in(dir.file("cache"))) write(file, bytes);
  EXPECT_EQ(cache.find("one"), Found("first"));
  EXPECT_EQ(cache.find("two"), Found());
}

TEST(CodeCache, TrustsOnlyWhatNobodyElseCanWrite) {
  const TempDir dir;
  const CodeCache cache(dir.file("cache"));
  cache.keep("key", "code");
  const std::string file = only_file(dir.file("cache"));
  struct stat info = {};
  ASSERT_EQ(::stat(dir.file("cache").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  for (const mode_t open : {0770, 0702}) {
    ::chmod(dir.file("cache").c_str(), open);
    EXPECT_EQ(cache.find("key"), Found());
    EXPECT_EQ(cache.problem(), dir.file("cache") + ": others can write to it");
    cache.keep("new", "code");
  }
  ::chmod(dir.file("cache").c_str(), 0755);
  EXPECT_EQ(cache.find("key"), Found("code"));
  EXPECT_EQ(cache.find("new"), Found());
  ::chmod(file.c_str(), 0620);
  EXPECT_EQ(cache.find("key"), Found());
  fs::rename(file, dir.file("elsewhere"));
  ::chmod(dir.file("elsewhere").c_str(), 0600);
  fs::create_symlink(dir.file("elsewhere"), file);
  EXPECT_EQ(cache.find("key"), Found());
}

TEST(CodeCache, LivesWithoutAFolder) {
  const TempDir dir;
  write(dir.file("file"), "");
  for (const std::string& folder :
       {dir.file("file"), dir.file("file/inside"), std::string("/proc/rondo/cache")}) {
    const CodeCache cache(folder);
    cache.keep("key", "code");
    EXPECT_EQ(cache.find("key"), Found()) << folder;
  }
  EXPECT_EQ(CodeCache(dir.file("file")).problem(), dir.file("file") + ": is no folder");
  EXPECT_FALSE(CodeCache("").on());
  EXPECT_EQ(CodeCache("").find("key"), Found());
}

TEST(CodeCache, KeepsToALimitOnTheSizeOfFiles) {
  const TempDir dir;
  const CodeCache cache(dir.file("cache"));
  const pid_t child = ::fork();
  if (child == 0) {
    const struct rlimit limit = {100, 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    cache.keep("large", std::string(100, 'x'));
    cache.keep("small", "x");
    ::_exit(cache.find("large") == Found() && cache.find("small") == Found("x") ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(files_in(dir.file("cache")).size(), 1u);
}

TEST(CodeCache, DropsWhatWasNotUsedForLongest) {
  const TempDir dir;
  const std::string folder = dir.file("cache"), code(300, 'x');
  const CodeCache cache(folder, 1200);  // three entries, each with its digests
  for (const char* key : {"a", "b", "c"}) cache.keep(key, code);
  write(folder + "/notes.txt", code);
  write(folder + "/" + std::string(64, 'f') + ".code.1-2", code);  // whose writer died
  const auto day = std::chrono::hours(24);
  for (const std::string& file : files_in(folder)) fs::last_write_time(file, fs::last_write_time(file) - day);
  EXPECT_EQ(cache.find("a"), Found(code));
  EXPECT_EQ(cache.find("b"), Found(code));
  cache.keep("d", code);
  EXPECT_EQ(cache.find("c"), Found());
  for (const char* key : {"a", "b", "d"}) EXPECT_EQ(cache.find(key), Found(code)) << key;
  EXPECT_EQ(files_in(folder).size(), 4u);
  EXPECT_EQ(read(folder + "/notes.txt"), code);
  cache.keep("too large", std::string(1200, 'x'));
  EXPECT_EQ(cache.find("too large"), Found());
  EXPECT_EQ(cache.find("a"), Found(code));
}

TEST(CodeCache, ServesProcessesSideBySide) {
  const TempDir dir;
  const CodeCache cache(dir.file("cache"));
  constexpr int kProcesses = 6, kKeys = 5, kRounds = 40;
  auto code = [](int key) {
    return std::string(20000 + static_cast<size_t>(key), static_cast<char>('a' + key));
  };
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    for (int i = 0; i < kRounds; ++i) {
      const int key = (i + p) % kKeys;
      const Found found = cache.find(std::to_string(key));
      if (found && *found != code(key)) ::_exit(1);
      cache.keep(std::to_string(key), code(key));
      if (cache.find(std::to_string(key)) != Found(code(key))) ::_exit(2);
    }
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(files_in(dir.file("cache")).size(), static_cast<size_t>(kKeys));
}

TEST(CodeCache, StandsWhereTheEnvironmentSays) {
  const TempDir dir;
  const Environment home("HOME", dir.file("home"));
  auto place = [&] {
    CodeCache::of_environment().keep("key", "code");
    std::string folder;
    for (const auto& entry : fs::recursive_directory_iterator(dir.file("")))
      if (entry.is_regular_file()) folder = entry.path().parent_path().lexically_relative(dir.file(""));
    for (const auto& entry : fs::directory_iterator(dir.file(""))) fs::remove_all(entry.path());
    return folder;
  };
  const Environment own("RONDO_CACHE", ""), all("XDG_CACHE_HOME", "relative/path");
  EXPECT_EQ(place(), "home/.cache/rondo");
  const Environment xdg("XDG_CACHE_HOME", dir.file("xdg"));
  EXPECT_EQ(place(), "xdg/rondo");
  const Environment named("RONDO_CACHE", dir.file("named"));
  EXPECT_EQ(place(), "named");
  const Environment off("RONDO_CACHE", "off");
  EXPECT_FALSE(CodeCache::of_environment().on());
}

/// The digest of the build changes with each source and each way to build it, and with nothing else.
TEST(CompilerId, NamesSourcesAndHowTheyAreBuilt) {
  const TempDir dir;
  for (const char* folder : {"codegen", "ir/ops", "support", "runtime"})
    fs::create_directories(dir.file(folder));
  const std::vector<std::string> sources = {"codegen/a.cpp", "codegen/a.h", "ir/ops/b.cpp", "support/c.h",
                                            "runtime/executable.h"};
  for (const std::string& source : sources) write(dir.file(source), "int x;\n");
  auto id = [&](const std::string& how) {
    const auto made = rondo::testing::shell(std::string(RONDO_CMAKE) + " -DSOURCE=" + dir.file("") +
                                            " -DHOW=" + how + " -DOUTPUT=" + dir.file("id") +
                                            " -P " RONDO_SOURCE_DIR "/cmake/build_id.cmake");
    EXPECT_EQ(made.code, 0) << made.text;
    return read(dir.file("id"));
  };
  std::set<std::string> ids = {id("release")};
  EXPECT_TRUE(ids.contains(id("release")));
  EXPECT_TRUE(ids.insert(id("debug")).second);
  for (const std::string& source : sources) {
    write(dir.file(source), "int y;\n");
    EXPECT_TRUE(ids.insert(id("release")).second) << source;
  }
  EXPECT_EQ(std::string(codegen::kBuildId).size(), 64u);
  EXPECT_TRUE(codegen::compiler_id().starts_with(codegen::kBuildId));
}

}  // namespace
}  // namespace rondo::test
