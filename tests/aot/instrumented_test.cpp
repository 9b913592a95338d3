// Libraries whose own code tells the sanitizers of each access: these see all that compiled code does.
#include <gtest/gtest.h>

#include "tests/aot/amp_model.h"

namespace rondo {
namespace {

using testing::TempDir;
using namespace test;

/// Replaces the library by one whose own code tells the sanitizer of each access.
std::string instrument(const TempDir& dir, const std::string& name, const std::string& sanitizer) {
  const bool threads = sanitizer == "thread";
  const std::string bin = std::string(RONDO_LLVM_BIN) + "/", archive = "lib" + name + ".a";
  const std::string mark = "sed -E 's/^(define .*\\) #[0-9]+) \\{/\\1 sanitize_" + sanitizer + " {/' ";
  return shell(dir, mark + "stages/" + name + "-31-opt.ll > s.ll && " + bin + "opt -passes='" +
                        (threads ? "tsan-module,function(tsan)" : "asan") + "' s.ll -o s.bc && " + bin +
                        "llc -O1 -filetype=obj -relocation-model=pic s.bc -o s.o && nm -u s.o | grep -q " +
                        (threads ? "__tsan.*_read16" : "__asan_report") + " && rm " + archive + " && ar rc " +
                        archive + " s.o");
}

/// Vectors of the lowest level have a size that all sanitizers know.
TEST(Library, IsCleanWithItsOwnCodeInstrumented) {
#ifdef __x86_64__
  const std::vector<std::string> targets = {"x86-64-v2"};
#else
  const std::vector<std::string> targets = {"host"};
#endif
  for (const char* sanitizer : {"address", "thread"}) {
    TempDir dir;
    Amp amp;
    LibraryOptions options = options_for(dir, "amp", targets);
    options.emit = {"llvm"};
    export_library(streaming(amp), amp.init(1), options);
    options.name = "other";
    export_library(streaming(amp), amp.init(2), options);
    options.name = "learner";
    options.dims.clear();
    export_library({run_function(amp, kSample), training(amp)}, amp.init(1), options);
    for (const char* name : {"amp", "other", "learner"}) EXPECT_EQ(instrument(dir, name, sanitizer), "");
    const std::string compile = kC11 + "-DAMP_SANITIZED -fsanitize=" + sanitizer + " -I. -pthread ";
    EXPECT_EQ(shell(dir, compile + RONDO_SAMPLES + "/driver.c libamp.a libother.a -o driver && ./driver"),
              "");
    for (const char* name : {"amp", "learner"})
      EXPECT_EQ(run_selftest(dir, name, std::string("-fsanitize=") + sanitizer), "");
  }
}

}  // namespace
}  // namespace rondo
