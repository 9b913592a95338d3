// Libraries for WebAssembly: linked with C, and as the module and its loader in Node.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/aot/amp_model.h"

namespace rondo {
namespace {

using testing::read_text;
using testing::TempDir;
using namespace test;

bool there_is(const std::string& programs) {
  return std::system(("command -v " + programs + " > /dev/null").c_str()) == 0;
}

TEST(WebAssembly, PassesTheSelfTest) {
  if (!there_is("node wasm-ld")) GTEST_SKIP() << "no node or wasm-ld";
  TempDir dir;
  Amp amp;
  export_library(streaming(amp), amp.init(1), options_for(dir, "amp", {"wasm32"}));
  testing::write_text(dir.file("run.mjs"), R"(
import { readFileSync } from 'node:fs';
const { instance } = await WebAssembly.instantiate(readFileSync('test.wasm'), {});
process.exit(instance.exports.amp_selftest());
)");
  EXPECT_EQ(
      shell(dir,
            "clang --target=wasm32 -O1 -ffreestanding -nostdlib -DAMP_SELFTEST_NO_MAIN -c amp_selftest.c "
            "-o test.o && wasm-ld --no-entry --export=amp_selftest test.o libamp.a -o test.wasm && node "
            "run.mjs"),
      "");
}

/// What a stream of x gives here, for the driver to find there.
std::string expected(const Amp& amp, const Weights& weights) {
  Program run = compile(run_function(amp, kSample), weights, {.dims = {{"B", 1}, {"T", 200}}});
  for (size_t t = 0; t < 200; ++t) run.f32("x")[t] = static_cast<float>(t * t % 37) / 37 - 0.5f;
  run.run();
  return fmt::format("{{\"x\": [{}], \"y\": [{}]}}", fmt::join(run.f32("x"), ", "),
                     fmt::join(run.f32("y"), ", "));
}

TEST(WebAssembly, IsAModuleWithALoader) {
  if (!there_is("node")) GTEST_SKIP() << "no node";
  TempDir dir;
  Amp amp;
  const Weights weights = amp.init(1);
  export_library(streaming(amp), weights, options_for(dir, "amp", {"wasm32"}));
  LibraryOptions options = options_for(dir, "learner", {"wasm32"});
  options.dims.clear();
  options.weights = WeightsIn::pointer;
  export_library({run_function(amp, kSample), training(amp)}, weights, options);
  testing::write_text(dir.file("expected.json"), expected(amp, weights));
  EXPECT_EQ(shell(dir, "cp '" RONDO_SAMPLES "/loader.mjs' . && node loader.mjs"), "");
}

}  // namespace
}  // namespace rondo
