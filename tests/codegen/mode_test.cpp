// The floating-point mode of compiled code: its own inside, the caller's after.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <string>

#include "codegen/compile.h"
#include "codegen/llvm/jit.h"
#include "ir/text.h"
#include "tests/runtime/util.h"
#include "tests/support/execute.h"

#ifdef __SSE__
#include <xmmintrin.h>
#endif

namespace rondo::test {
namespace {

constexpr const char* kDecay = R"(
func @decay(%h0: f32[3]) -> (f32[3], f32[T,3]) {
  %half = const {value=0.5} : f32[3]
  %h, %hs = scan trip(T) consts(%half) carry(%h = %h0) {
    %next = mul %h, %half : f32[3]
    yield carry(%next) ys(%next)
  } : f32[3], f32[T,3]
  return %h, %hs
}
)";

constexpr const char* kThird = R"(
func @third(%x: f32[]) -> (f32[]) {
  %three = const {value=3} : f32[]
  %y = div %x, %three : f32[]
  return %y
}
)";

bool flushes() { return codegen::target_for().flushes_denormals; }

/// h = 0.5 h leaves the normal numbers after 126 steps and would leave the denormal ones after 149.
TEST(Mode, DecayEndsAtZero) {
  const auto code = codegen::compile(ir::parse(kDecay));
  const ir::Array start{DType::f32, {3}, {1, -1, 0}};
  const std::vector<std::vector<int64_t>> shapes = {{3}, {140, 3}};
  const auto out = execute(*code, {&start, 1}, shapes, {{"T", 140}});
  EXPECT_EQ(out[1].data[125 * 3], 0x1p-126);
  const double after = flushes() ? 0 : 0x1p-127, end = flushes() ? 0 : 0x1p-140;
  EXPECT_EQ(out[1].data[126 * 3], after);
  EXPECT_EQ(out[0].data, (std::vector<double>{end, -end, 0}));
  EXPECT_TRUE(std::signbit(out[0].data[1]));
}

TEST(Mode, DenormalInputsCountAsZero) {
  const auto code = codegen::compile(ir::parse(kDecay));
  const ir::Array start{DType::f32, {3}, {0x1p-127, 0x1p-126, 0x1p-125}};
  const std::vector<std::vector<int64_t>> shapes = {{3}, {1, 3}};
  const auto out = execute(*code, {&start, 1}, shapes, {{"T", 1}});
  EXPECT_EQ(out[0].data, (flushes() ? std::vector<double>{0, 0, 0x1p-126}
                                    : std::vector<double>{0x1p-128, 0x1p-127, 0x1p-126}));
}

#ifdef __SSE__

/// Sets the caller's mode while it lives.
class CallersMode {
 public:
  explicit CallersMode(unsigned mode) { _mm_setcsr(mode); }
  ~CallersMode() { _mm_setcsr(before_); }

 private:
  unsigned before_ = _mm_getcsr();
};

TEST(Mode, IsTheCallersAgain) {
  const auto code = codegen::compile(ir::parse(kThird));
  alignas(64) float x = 1, y = 0;
  void* args[] = {&x, &y};
  // As a program starts; rounding up; flags of exceptions that happened; denormals flushed by the caller.
  for (unsigned mode : {0x1f80u, 0x5f80u, 0x1f91u, 0x9fc0u}) {
    unsigned after = 0;
    {
      const CallersMode callers(mode);
      code->call(args, nullptr, nullptr);
      after = _mm_getcsr();
    }
    EXPECT_EQ(after, mode);
    EXPECT_EQ(y, 1.0f / 3) << "rounds to nearest whatever the caller does";
  }
}

/// A processor that foretells modes by addresses is to tell the two apart: one instruction sets both, and
/// between the places to which calls return stand the end of a block of 32 bytes and a whole one.
TEST(Mode, IsSetFromTwoBlocks) {
  const testing::TempDir dir;
  codegen::compile(ir::parse(kThird), {.dump_dir = dir.file("stages")});
  std::ifstream assembly(dir.file("stages/third/32.s"));
  std::string order;
  int setters = 0;
  for (std::string line; std::getline(assembly, line);) {
    const auto has = [&](const char* text) { return line.find(text) != line.npos; };
    if (has("ldmxcsr")) ++setters;
    if (has("call") && has("_set_mode")) order += "set ";
    if (has("call") && has("_code")) order += "code ";
    if (has(".p2align\t5")) order += "end ";
    if (has("\tnop")) order += "nop ";
  }
  EXPECT_EQ(setters, 1);
  EXPECT_EQ(order, "set code end nop end set ");
}

/// An inexact result is a signal where the caller asked for one; compiled code raises none.
TEST(Mode, TrapsNothing) {
  const auto code = codegen::compile(ir::parse(kThird));
  alignas(64) float x = std::numeric_limits<float>::max(), y = 0;
  void* args[] = {&x, &y};
  {
    const CallersMode callers(0x0f80u);  // inexact results trap
    code->call(args, nullptr, nullptr);
  }
  EXPECT_FLOAT_EQ(y, std::numeric_limits<float>::max() / 3);
}

#endif

}  // namespace
}  // namespace rondo::test
