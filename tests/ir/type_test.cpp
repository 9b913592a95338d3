// Types, named dims, and polynomials in them.
#include "ir/type.h"

#include <gtest/gtest.h>

#include "ir/poly.h"
#include "support/error.h"

namespace rondo::ir {
namespace {

TEST(Type, PrintsDims) {
  EXPECT_EQ(to_string(Type{DType::f32, {"T", "B", 64}}), "f32[T,B,64]");
  EXPECT_EQ(to_string(Type{DType::pred, {}}), "pred[]");
}

TEST(Type, BindsNamedDims) {
  EXPECT_EQ(bind(Shape{"T", 3, "B"}, {{"T", 7}, {"B", 2}}), (std::vector<int64_t>{7, 3, 2}));
  EXPECT_THROW(bind(Shape{"T"}, {}), Error);
}

TEST(Type, CountsWindows) {
  EXPECT_EQ(windows_of(7, 3), 3);
  EXPECT_EQ(windows_of(6, 3), 2);
  EXPECT_EQ(windows_of(0, 3), 0);
  EXPECT_EQ(windows_of(7, 0), 1);
  EXPECT_EQ(windows_of(0, 0), 0);
  const Dim blocks = quotient("T", quotient(256, "B"));
  EXPECT_EQ(bind(blocks, {{"T", 50}, {"B", 64}}), 13);
  EXPECT_EQ(bind(blocks, {{"T", 50}, {"B", 0}}), 50);
}

TEST(Poly, IsExactAlgebra) {
  const Poly t = Dim("T"), b = Dim("B");
  const Poly sum = t * b * 4 + 64;
  EXPECT_EQ(to_string(sum), "4*B*T+64");
  EXPECT_EQ(sum.evaluate({{"T", 5}, {"B", 3}}), 124);
  EXPECT_EQ(t * b, b * t);
  EXPECT_EQ((t + b) * (t - b), t * t - b * b);
  EXPECT_TRUE((sum - sum).is_zero());
  EXPECT_TRUE((sum - t * b * 4).is_constant());
  EXPECT_EQ((sum - t * b * 4).constant(), 64);
  EXPECT_EQ(to_string(t * -1 + 2), "-1*T+2");
  Poly twice = t;
  twice += twice;
  EXPECT_EQ(twice, t * 2);
}

TEST(Poly, DescribesRowMajorTensors) {
  const Shape shape = {"T", 3, "B", 8};
  EXPECT_EQ(to_string(element_count(shape)), "24*B*T");
  const auto strides = row_major_strides(shape);
  EXPECT_EQ(to_string(strides[0]), "24*B");
  EXPECT_EQ(to_string(strides[1]), "8*B");
  EXPECT_EQ(to_string(strides[2]), "8");
  EXPECT_EQ(to_string(strides[3]), "1");
}

}  // namespace
}  // namespace rondo::ir
