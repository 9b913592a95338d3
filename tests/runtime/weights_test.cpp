#include "runtime/weights.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

#include "tests/runtime/util.h"

namespace rondo {
namespace {

using testing::error_of;

TEST(Buffer, IsAlignedPaddedAndZero) {
  Buffer b(DType::f32, {3, 7});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data()) % 64, 0u);
  EXPECT_EQ(b.capacity(), 128u);
  const auto* floats = static_cast<const float*>(b.data());
  for (int i = 0; i < 32; ++i) EXPECT_EQ(floats[i], 0.0f);
  EXPECT_EQ(b.count(), 21);
  EXPECT_EQ(b.bytes(), 84u);
}

TEST(Buffer, ScalarsAndEmptyOnesHaveMemory) {
  EXPECT_EQ(Buffer(DType::f64, {}).count(), 1);
  Buffer empty(DType::i32, {0, 5});
  EXPECT_EQ(empty.count(), 0);
  EXPECT_NE(empty.data(), nullptr);
}

TEST(Buffer, CopiesShareTheMemory) {
  Buffer a(DType::f32, {2});
  Buffer b = a;
  a.as<float>()[1] = 5;
  EXPECT_EQ(b.as<float>()[1], 5);
}

TEST(Buffer, ResizeKeepsTheMemoryWhereItSuffices) {
  Buffer b(DType::f32, {4, 8});
  const void* memory = b.data();
  b.as<float>()[0] = 1;
  const int64_t same[] = {4, 8}, smaller[] = {2, 8}, larger[] = {5, 8};
  b.resize(same);
  EXPECT_EQ(b.as<float>()[0], 1);
  b.resize(smaller);
  EXPECT_EQ(b.data(), memory);
  EXPECT_EQ(b.as<float>()[0], 0);
  b.resize(larger);
  EXPECT_NE(b.data(), memory);
  EXPECT_EQ(b.count(), 40);
}

TEST(Buffer, RefusesWrongShapesAndTypes) {
  EXPECT_EQ(error_of([] { Buffer(DType::f32, {2, -1}); }), "f32[2,-1]: extents must not be negative");
  EXPECT_EQ(error_of([] {
              Buffer(DType::f32, {1ll << 40, 1ll << 40});
            }),
            "f32[1099511627776,1099511627776]: too large");
  Buffer b(DType::f32, {2});
  EXPECT_EQ(error_of([&] { b.as<int32_t>(); }), "the buffer is f32[2], not i32");
}

TEST(Weights, GetMakesOnceAndChecks) {
  Weights w;
  Buffer& a = w.get("a", DType::f32, {2, 3});
  EXPECT_EQ(&w.get("a", DType::f32, {2, 3}), &a);
  EXPECT_EQ(error_of([&] { w.get("a", DType::f32, {3, 2}); }), "a is f32[2,3], not f32[3,2]");
  EXPECT_EQ(error_of([&] { w.get("a", DType::f64, {2, 3}); }), "a is f32[2,3], not f64[2,3]");
  w.get("b", DType::i32, {4});
  EXPECT_EQ(w.count(), 6);
  EXPECT_EQ(error_of([&] { w.at("c"); }), "no buffer c; there are: a, b");
  EXPECT_EQ(error_of([&] { w.add("b", Buffer(DType::f32, {1})); }), "there is a buffer b already");
}

TEST(Weights, CopiesAreHandles) {
  Weights w, same = w;
  w.get("a", DType::f32, {1}).as<float>()[0] = 3;
  EXPECT_EQ(same.at("a").as<float>()[0], 3);
}

TEST(Weights, AssignCopiesAllOrNothing) {
  Weights to, from;
  to.get("a", DType::f32, {1});
  to.get("b", DType::f32, {2});
  from.get("a", DType::f32, {1}).as<float>()[0] = 7;
  EXPECT_EQ(error_of([&] { to.assign(from); }), "b f32[2] is missing");
  EXPECT_EQ(to.at("a").as<float>()[0], 0);
  from.get("b", DType::f32, {2}).as<float>()[1] = 8;
  to.assign(from);
  EXPECT_EQ(to.at("a").as<float>()[0], 7);
  EXPECT_EQ(to.at("b").as<float>()[1], 8);
  from.get("c", DType::f32, {1});
  EXPECT_EQ(error_of([&] { to.assign(from); }), "c f32[1] is of no use here; there are: a, b");
}

TEST(Weights, FindsWhatIsNotFinite) {
  Weights w;
  w.get("i", DType::i32, {1}).as<int32_t>()[0] = std::numeric_limits<int32_t>::max();
  const auto f = w.get("f", DType::f32, {3}).as<float>();
  const auto d = w.get("d", DType::f64, {1}).as<double>();
  EXPECT_TRUE(w.all_finite());
  f[2] = std::nanf("");
  EXPECT_FALSE(w.all_finite());
  f[2] = 0;
  d[0] = -std::numeric_limits<double>::infinity();
  EXPECT_FALSE(w.all_finite());
}

}  // namespace
}  // namespace rondo
