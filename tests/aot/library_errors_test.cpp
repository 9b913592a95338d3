// What is wrong with a library that is asked for: one line each, and no file is left.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "tests/aot/amp_model.h"

namespace rondo {
namespace {

using testing::error_of;
using testing::TempDir;
using namespace test;

class LibraryErrors : public ::testing::Test {
 protected:
  /// Nothing is left of a library that cannot be made.
  void expect_error(
      const std::function<void(LibraryOptions&)>& change, const std::string& message,
      const std::function<void(std::vector<Function>&)>& add = [](auto&) {}) {
    TempDir dir;
    LibraryOptions options = options_for(dir, "amp");
    change(options);
    std::vector<Function> functions = streaming(amp_);
    add(functions);
    EXPECT_EQ(error_of([&] { export_library(functions, weights_, options); }), message);
    EXPECT_EQ(dir.entries(), 0u);
  }
  Amp amp_;
  Weights weights_ = amp_.init(1);
};

TEST_F(LibraryErrors, AreOneLineEachAndLeaveNothing) {
  expect_error([](auto& o) { o.targets = {"pdp11"}; },
               "rondo: unknown target `pdp11`: a triple[:cpu[:features]], or one of host, x86-64, x86-64-v2, "
               "x86-64-v3, x86-64-v4, aarch64, armv7, riscv64, riscv64v, wasm32, thumbv7em");
  expect_error([](auto& o) { o.targets = {"aarch64-linux-gnu:z80"}; },
               "rondo: aarch64-unknown-linux-gnu has no CPU z80");
  expect_error([](auto& o) { o.targets = {"aarch64-linux-gnu:generic:+neon,+warp"}; },
               "rondo: aarch64-unknown-linux-gnu has no feature +warp; they are written +name or -name");
  expect_error([](auto& o) { o.targets = {"aarch64", "aarch64"}; }, "rondo: target aarch64 twice");
  expect_error(
      [](auto& o) {
        o.targets = {"x86-64-v3", "x86-64-v2", "x86-64-v3"};
      },
      "rondo: target x86-64-v3 twice");
  expect_error([](auto& o) { o.dims["B"] = 0; },
               "rondo: dim B is 0; a library takes numbers from 1 to 2147483647");
  expect_error([](auto& o) { o.block = 0; },
               "rondo: a block is 0; a library takes numbers from 1 to 2147483647");
  expect_error([](auto& o) { o.name = "2amps"; },
               "rondo: `2amps` is not a name in C, which the library's functions need");
  expect_error([](auto& o) { o.prefix = "while"; },
               "rondo: `while` is not a name in C, which the library's functions need");
  expect_error([](auto& o) { o.dims = {{"Q", 1}}; }, "rondo: no function of amp has a dim Q");
  expect_error([](auto& o) { o.emit = {"poem"}; }, "rondo: unknown stage `poem`: ir, llvm, assembly or html");
  expect_error([](auto&) {}, "rondo: two functions step", [&](auto& f) { f.push_back(f[0]); });
  expect_error([](auto&) {}, "rondo: a library has a function reset of its own; name yours differently",
               [&](auto& f) { f[0].func.name = "reset"; });
  expect_error([](auto&) {}, "rondo: function `step.` has no name in C",
               [&](auto& f) { f[0].func.name = "step."; });
}

TEST_F(LibraryErrors, NameTheWeightThatDoesNotFit) {
  weights_ = Weights();
  weights_.get("lstm.wx", f32, {2, 64});
  expect_error([](auto&) {}, "rondo: parameter `lstm.wx` is f32[1,64], and f32[2,64] in the weights");
  weights_ = Weights();
  weights_.get("lstm.wx", f32, {1, 64});
  expect_error([](auto&) {},
               "rondo: parameter `lstm.wh`, f32[16,64], is not in the weights; there are: lstm.wx");
}

TEST_F(LibraryErrors, TellOfAFolderThatCannotBeWritten) {
  TempDir dir;
  testing::write_text(dir.file("file"), "");
  LibraryOptions options = options_for(dir, "amp");
  options.directory = dir.file("file/inside");
  EXPECT_EQ(error_of([&] { export_library(streaming(amp_), weights_, options); }),
            "rondo: " + options.directory + ": Not a directory");
  options.directory = "/proc/rondo/lib";
  EXPECT_EQ(error_of([&] { export_library(streaming(amp_), weights_, options); }),
            "rondo: /proc/rondo: No such file or directory");
  options.directory = dir.file("lib");
  std::filesystem::create_directories(dir.file("lib/amp.hpp"));
  EXPECT_EQ(error_of([&] { export_library(streaming(amp_), weights_, options); }),
            "rondo: " + dir.file("lib/amp.hpp") + ": is a folder");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.file("lib")), {}), 1);
}

}  // namespace
}  // namespace rondo
