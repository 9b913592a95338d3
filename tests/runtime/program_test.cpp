#include "runtime/program.h"

#include <cstring>

#include <gtest/gtest.h>

#include "tests/runtime/count_allocations.h"
#include "tests/runtime/fake.h"
#include "tests/runtime/util.h"

namespace rondo {
namespace {

using testing::allocation_count;
using testing::error_of;
using testing::FakeExecutable;

/// h' = h + w * sum over t of table[ids[t]], per row of the batch; out = h'. ids index a table of V rows.
std::shared_ptr<const Executable> accumulator() {
  Signature s;
  s.name = "accumulate";
  s.dims = {"T", "B", "V"};
  const ArgDim t{.dim = 0}, b{.dim = 1}, v{.dim = 2};
  s.inputs = {{"w", DType::f32, {{.size = 1}}},
              {"table", DType::f32, {v}},
              {"h", DType::f32, {b}},
              {"ids", DType::i32, {t, b}}};
  s.outputs = {{"h1", DType::f32, {b}}, {"out", DType::f32, {b}}};
  s.aliases = {{.input = 2, .output = 0}};
  s.bounds = {{.input = 3, .bound = v}};
  return std::make_shared<FakeExecutable>(
      s,
      [](void* const* args, const int64_t* dims, void* scratch) {
        const auto* w = static_cast<const float*>(args[0]);
        const auto* table = static_cast<const float*>(args[1]);
        auto* h = static_cast<float*>(args[2]);
        const auto* ids = static_cast<const int32_t*>(args[3]);
        std::memset(scratch, 0xff, static_cast<size_t>(4 * dims[0] * dims[1] * dims[2]));
        for (int64_t b = 0; b < dims[1]; ++b) {
          for (int64_t t = 0; t < dims[0]; ++t) h[b] += w[0] * table[ids[t * dims[1] + b]];
          static_cast<float*>(args[5])[b] = h[b];
        }
        EXPECT_EQ(args[4], args[2]);
      },
      4);
}

Program accumulate(Weights weights = {}) {
  return Program(accumulator(), weights, {.weights = {"w"}, .state = {"h"}});
}

TEST(Program, BindsWeightsWithoutACopy) {
  Weights weights;
  Program p = accumulate(weights);
  EXPECT_EQ(p.f32("w").data(), weights.at("w").as<float>().data());
  Program q = accumulate(weights);
  EXPECT_EQ(p.f32("w").data(), q.f32("w").data());
}

TEST(Program, KeepsStateBetweenCalls) {
  Program p = accumulate();
  p.f32("w")[0] = 2;
  p.resize({{"T", 2}, {"B", 1}, {"V", 3}});
  p.set("table", std::vector<float>{1, 10, 100});
  Buffer ids(DType::i32, {2, 1});
  ids.as<int32_t>()[1] = 2;
  p.set("ids", ids);
  p.run();
  EXPECT_EQ(p.f32("out")[0], 202);
  p.run();
  EXPECT_EQ(p.f32("out")[0], 404);
  EXPECT_EQ(p.output(1).as<float>()[0], 404);
  EXPECT_EQ(p.f32("h1").data(), p.f32("h").data());
  EXPECT_EQ(p.state().at("h").as<float>()[0], 404);
  p.reset();
  p.run();
  EXPECT_EQ(p.f32("out")[0], 202);
}

TEST(Program, ResizeZeroesOnlyWhatChangesItsShape) {
  Program p = accumulate();
  p.f32("w")[0] = 1;
  p.resize({{"T", 1}, {"B", 2}, {"V", 1}});
  p.set("table", std::vector<float>{5});
  p.run();
  p.resize({{"T", 3}});
  EXPECT_EQ(p.dim("T"), 3);
  EXPECT_EQ(p.shape("ids"), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(p.f32("h")[1], 5);
  p.resize({{"B", 4}});
  EXPECT_EQ(p.f32("h")[1], 0);
  EXPECT_EQ(p.f32("table")[0], 5);
}

TEST(Program, SteadyStateDoesNotAllocate) {
  const int64_t at_start = allocation_count();
  Program p = accumulate();
  EXPECT_GT(allocation_count(), at_start);
  const std::map<std::string, int64_t> large = {{"T", 7}, {"B", 5}, {"V", 9}},
                                       small = {{"T", 2}, {"B", 3}, {"V", 4}};
  p.resize(large);
  const size_t memory = p.memory_bytes();
  const int64_t before = allocation_count();
  for (int i = 0; i < 10; ++i) {
    p.resize(i % 2 ? large : small);
    p.i32("ids")[0] = 1;
    p.run();
    p.reset();
  }
  EXPECT_EQ(allocation_count(), before);
  EXPECT_EQ(p.memory_bytes(), memory);
}

TEST(Program, ChecksIndices) {
  Program p = accumulate();
  p.resize({{"T", 4}, {"B", 2}, {"V", 65}});
  p.i32("ids")[7] = 64;
  p.run();
  p.i32("ids")[7] = 70;
  EXPECT_EQ(error_of([&] { p.run(); }), "ids: 70 at [3,1] is outside [0,65)");
  p.i32("ids")[2] = -1;
  EXPECT_EQ(error_of([&] { p.run(); }), "ids: -1 at [1,0] is outside [0,65)");
}

TEST(Program, RefusesWrongCalls) {
  Program p = accumulate();
  EXPECT_EQ(error_of([&] { p.run(); }), "accumulate: dim T is not set");
  EXPECT_EQ(error_of([&] { p.i32("ids"); }), "accumulate: dim T is not set");
  EXPECT_EQ(error_of([&] { p.resize({{"X", 1}}); }), "accumulate: no dim X; dims: T, B, V");
  EXPECT_EQ(error_of([&] { p.resize({{"T", -1}}); }), "accumulate: dim T cannot be -1");
  p.resize({{"T", 2}, {"B", 2}, {"V", 1}});
  EXPECT_EQ(error_of([&] { p.f32("x"); }),
            "accumulate: no input or output x; inputs: w, table, h, ids; outputs: h1, out");
  EXPECT_EQ(error_of([&] { p.f32("ids"); }), "ids is i32[2,2], not f32");
  EXPECT_EQ(error_of([&] { p.set("ids", std::vector<int32_t>{1}); }),
            "ids: 1 values for i32[2,2], which takes 4");
  EXPECT_EQ(error_of([&] { p.set("ids", Buffer(DType::i32, {4})); }), "ids: i32[4] for i32[2,2]");
  EXPECT_EQ(error_of([] { Program(accumulator(), {}, {.weights = {"v"}}); }),
            "accumulate: no input v; inputs: w, table, h, ids");
  EXPECT_EQ(error_of([] { Program(accumulator(), {}, {.weights = {"h"}}); }),
            "accumulate: weight h has the named dim B");
  Weights other;
  other.get("w", DType::f32, {2});
  EXPECT_EQ(error_of([&] { accumulate(other); }), "w is f32[2], not f32[1]");
  EXPECT_EQ(error_of([&] { p.set_scalar("w", 1); }), "w is f32[1], not a scalar");
}

TEST(Program, ASizeThatCannotBeHadLeavesNoDimSet) {
  Program p = accumulate();
  p.resize({{"T", 2}, {"B", 2}, {"V", 1}});
  EXPECT_EQ(error_of([&] { p.resize({{"T", 1ll << 62}}); }), "i32[4611686018427387904,2]: too large");
  EXPECT_EQ(error_of([&] { p.run(); }), "accumulate: dim T is not set");
  p.resize({{"T", 1}, {"B", 1}, {"V", 1}});
  p.run();
}

TEST(Program, TakesEmptySequences) {
  Program p = accumulate();
  p.resize({{"T", 0}, {"B", 1}, {"V", 1}});
  p.f32("h")[0] = 3;
  p.run();
  EXPECT_EQ(p.f32("out")[0], 3);
}

}  // namespace
}  // namespace rondo
