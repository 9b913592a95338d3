// The loops of products in assembly: their sums stay in registers from term to term.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tests/runtime/util.h"
#include "tests/support/environment.h"
#include "tools/bench/measure.h"
#include "tools/bench/models.h"

namespace rondo {
namespace {

using Lines = std::vector<std::string>;

bool has(const std::string& line, const char* text) { return line.find(text) != line.npos; }

/// The bodies of innermost loops: lines from a label to a jump back to it, without another label.
std::vector<Lines> inner_loops(std::istream& assembly) {
  std::vector<Lines> loops;
  Lines body;
  std::string label;
  for (std::string line; std::getline(assembly, line);) {
    if (line.starts_with(".L") && line.ends_with(":")) {
      label = line.substr(0, line.size() - 1);
      body.clear();
    } else if (line.starts_with("\tj") && line.ends_with("\t" + label)) {
      loops.push_back(body);
    } else {
      body.push_back(line);
    }
  }
  return loops;
}

/// Of a model compiled for a CPU.
std::stringstream assembly_of(const bench::Spec& spec, const std::string& cpu) {
  const testing::TempDir dir;
  const Function function = bench::build(spec).function;
  const ir::DimValues dims = bench::build_options(spec).dims;
  const ir::Func func = passes::run_pipeline(passes::bind_dims(function.func, dims), function.pipeline);
  codegen::compile(func, {.aliases = function.aliases(func), .cpu = cpu, .dump_dir = dir.file("stages")});
  std::stringstream text;
  text << std::ifstream(dir.file("stages/" + func.name + "/32.s")).rdbuf();
  return text;
}

/// Loops with so many multiply-adds and no division, which gates have.
std::vector<Lines> tiles(const bench::Spec& spec, const std::string& cpu, int64_t least) {
  std::stringstream assembly = assembly_of(spec, cpu);
  std::vector<Lines> loops = inner_loops(assembly);
  const auto count = [](const Lines& body, const char* op) {
    return std::ranges::count_if(body, [&](const std::string& line) { return has(line, op); });
  };
  std::erase_if(loops,
                [&](const Lines& body) { return count(body, "vfmadd") < least || count(body, "vdiv") > 0; });
  return loops;
}

struct Machine {
  const char* cpu;
  const char* vector;
};

TEST(Registers, HoldTheSumsOfATile) {
#if defined(__x86_64__)
  for (const auto& [cpu, vector] : {Machine{"x86-64-v3", "%ymm"}, Machine{"x86-64-v4", "%zmm"}})
    for (const char* cell : {"lstm", "gru", "rnn"})
      for (const bench::Mode mode : {bench::Mode::infer, bench::Mode::train}) {
        const std::vector<Lines> loops =
            tiles({.cell = cell, .mode = mode, .hidden = 64, .batch = 48}, cpu, 8);
        EXPECT_FALSE(loops.empty()) << cpu << " " << cell;
        for (const Lines& body : loops)
          for (const std::string& line : body) {
            EXPECT_FALSE(has(line, vector) && (has(line, "(%rsp)") || has(line, "(%rbp)"))) << cell << line;
            EXPECT_FALSE(has(line, "vmovaps") && !has(line, "(")) << cpu << " " << cell << line;
          }
      }
#else
  GTEST_SKIP() << "assembly of x86-64";
#endif
}

/// The offset in an address of the form offset(base, index).
long offset_of(const std::string& line) {
  const size_t offset = line.substr(0, line.find('(')).find_last_of("\t ") + 1;
  return std::strtol(line.c_str() + offset, nullptr, 10);
}

/// Addresses of vectors of 64 bytes have one byte for what is within 8 KB, else four.
TEST(Registers, HoldWhatSlotsStartAt) {
#if defined(__x86_64__)
  const std::vector<Lines> loops =
      tiles({.cell = "own-lstm", .mode = bench::Mode::train, .hidden = 64, .batch = 1, .steps = 50},
            "x86-64-v4", 8);
  EXPECT_FALSE(loops.empty());
  for (const Lines& body : loops)
    for (const std::string& line : body) {
      if (!has(line, "(") || !has(line, "%zmm")) continue;
      EXPECT_LT(std::abs(offset_of(line)), 8192) << line;
    }
#else
  GTEST_SKIP() << "assembly of x86-64";
#endif
}

/// A vector that lies across two pages takes as long as half of a small step.
TEST(Registers, VectorsOnTheStackStandInLines) {
#if defined(__x86_64__)
  for (const auto& [cpu, vector] : {Machine{"x86-64-v3", "%ymm"}, Machine{"x86-64-v4", "%zmm"}}) {
    std::stringstream assembly =
        assembly_of({.cell = "lstm", .mode = bench::Mode::stream, .hidden = 16, .batch = 1, .input = 1}, cpu);
    int spilled = 0;
    for (std::string line; std::getline(assembly, line);) {
      if (!has(line, "(%rsp)") || !has(line, vector) || !has(line, "vmov")) continue;
      ++spilled;
      EXPECT_TRUE(has(line, "vmovap") || has(line, "vmovdqa")) << cpu << line;
    }
    EXPECT_GT(spilled, 0) << cpu;
  }
#else
  GTEST_SKIP() << "other machines' vectors are not larger than what their stacks are aligned to";
#endif
}

/// From a stack that starts so many bytes further down.
[[gnu::noinline]] void run_from(Program& program, size_t down) {
  auto* room = static_cast<volatile char*>(__builtin_alloca(down + 16));
  room[0] = 0;
  program.run();
}

/// Vectors that do not find their lines end the program.
TEST(Registers, StacksOfCallersMayStartAnywhere) {
  for (const char* cell : {"lstm", "layer-norm-lstm"}) {
    bench::Bench bench({.cell = cell, .mode = bench::Mode::stream, .hidden = 16, .batch = 1, .input = 1});
    Program& program = bench.program();
    program.f32("x")[0] = 1;
    std::vector<float> first;
    for (size_t down = 0; down < 128; down += 16) {
      program.reset();
      run_from(program, down);
      const auto y = program.f32("y");
      if (down == 0) first.assign(y.begin(), y.end());
      EXPECT_TRUE(std::ranges::equal(y, first)) << cell << " " << down;
    }
  }
}

/// Prefetchers follow loads that ascend. One row reads matrices that are packed for it as they stand there.
TEST(Rows, ReadMatricesInOrder) {
#if defined(__x86_64__)
  for (const char* cell : {"lstm", "layer-norm-lstm"}) {
    const std::vector<Lines> loops = tiles(
        {.cell = cell, .mode = bench::Mode::infer, .hidden = 64, .batch = 1, .steps = 50}, "x86-64-v4", 64);
    EXPECT_FALSE(loops.empty());
    for (const Lines& body : loops) {
      long last = -1;
      for (const std::string& line : body) {
        if (!has(line, "vfmadd") || !has(line, "(")) continue;
        EXPECT_GT(offset_of(line), last) << cell << line;
        last = offset_of(line);
      }
      EXPECT_GT(last, 0);
    }
  }
#else
  GTEST_SKIP() << "assembly of x86-64";
#endif
}

/// Where multiply-adds read the first cache as fast as they can, no element of the row takes a load of its
/// own.
TEST(Rows, LoadElementsInRuns) {
#if defined(__x86_64__)
  const std::vector<Lines> loops =
      tiles({.cell = "mingru", .mode = bench::Mode::stream, .hidden = 64, .batch = 1}, "x86-64-v4", 32);
  EXPECT_FALSE(loops.empty());
  for (const Lines& body : loops)
    for (const std::string& line : body) EXPECT_FALSE(has(line, "vbroadcastss") && has(line, "(")) << line;
#else
  GTEST_SKIP() << "assembly of x86-64";
#endif
}

/// The chain of an LSTM's step passes by its output gate, whose sums so come behind the first activations.
TEST(Rows, StartWithWhatTheStepWaitsFor) {
#if defined(__x86_64__)
  const auto sums_after_activations = [] {
    std::stringstream assembly = assembly_of(
        {.cell = "lstm", .mode = bench::Mode::stream, .hidden = 16, .batch = 1, .input = 1}, "x86-64-v4");
    int64_t count = 0;
    bool activations = false;
    for (std::string line; std::getline(assembly, line);) {
      activations = activations || has(line, "vperm");
      count += activations && has(line, "vfmadd") && has(line, "(%r") && !has(line, "%rip");
    }
    return count;
  };
  EXPECT_GE(sums_after_activations(), 8);
  const test::Environment skip("RONDO_SKIP", "order");
  EXPECT_LT(sums_after_activations(), 4);
#else
  GTEST_SKIP() << "assembly of x86-64";
#endif
}

/// What tiles do with their complete sums stands in the order of chains as well.
TEST(Registers, GatesOfTilesAreOrdered) {
#if defined(__x86_64__)
  const auto assembly = [] {
    return assembly_of({.cell = "lstm", .mode = bench::Mode::infer, .hidden = 64, .batch = 64}, "x86-64-v3")
        .str();
  };
  const std::string ordered = assembly();
  const test::Environment skip("RONDO_SKIP", "order");
  EXPECT_NE(ordered, assembly());
#else
  GTEST_SKIP() << "assembly of x86-64";
#endif
}

/// Products ask for what the kernels after them reach of sequences, where that is much.
TEST(Registers, ProductsAskForWhatFollowsThem) {
#if defined(__x86_64__)
  const auto prefetches = [](int64_t batch, const char* cpu) {
    std::stringstream assembly = assembly_of(
        {.cell = "layer-norm-lstm", .mode = bench::Mode::train, .hidden = 64, .batch = batch}, cpu);
    int64_t count = 0;
    for (std::string line; std::getline(assembly, line);) count += has(line, "prefetcht1");
    return count;
  };
  // Forward and backward, of the runs of a step's gates, states and norms some lines each.
  EXPECT_GE(prefetches(64, "x86-64-v4"), 20);
  EXPECT_GE(prefetches(64, "x86-64-v3"), 20);
  EXPECT_EQ(prefetches(8, "x86-64-v4"), 0);
#else
  GTEST_SKIP() << "assembly of x86-64";
#endif
}

/// One row whose sums wait for each other asks for the matrix of the next step meanwhile, unless that stays
/// near.
TEST(Registers, OneRowAsksForTheNextMatrix) {
#if defined(__x86_64__)
  const auto prefetches = [](int64_t hidden, int64_t batch) {
    std::stringstream assembly =
        assembly_of({.cell = "layer-norm-lstm", .mode = bench::Mode::infer, .hidden = hidden, .batch = batch},
                    "x86-64-v4");
    int64_t count = 0;
    for (std::string line; std::getline(assembly, line);) count += has(line, "prefetch");
    return count;
  };
  EXPECT_GE(prefetches(64, 1), 192);
  EXPECT_LT(prefetches(32, 1), 192);
  EXPECT_LT(prefetches(64, 2), 192);
#else
  GTEST_SKIP() << "assembly of x86-64";
#endif
}

}  // namespace
}  // namespace rondo
