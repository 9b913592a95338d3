// The list of primitive ops. Everything else is library code over them.
#pragma once

#include <cstddef>
#include <cstdint>

// clang-format off
#define RONDO_OPS(X)                                                                              \
  /* leaf        */ X(constant) X(iota) X(size) X(random)                                         \
  /* unary       */ X(cast) X(neg) X(exp) X(log) X(tanh) X(sigmoid) X(sqrt) X(rsqrt) X(abs) X(cos) X(floor) \
  /* binary      */ X(add) X(sub) X(mul) X(div) X(max) X(min) X(less) X(equal)                    \
  /* ternary     */ X(fma) X(select)                                                              \
  /* movement    */ X(reshape) X(transpose) X(broadcast) X(slice) X(pad) X(concat)                \
  /* indexed     */ X(gather) X(scatter_add) X(scatter) X(sum_repeated)                           \
  /* contraction */ X(matmul) X(reduce_sum) X(reduce_max) X(argmax)                               \
  /* other       */ X(detach) X(in_range)                                                         \
  /* recurrence  */ X(scan)
// clang-format on

namespace rondo::ir {

enum class OpKind : uint8_t {
#define RONDO_OP_NAME(name) name,
  RONDO_OPS(RONDO_OP_NAME)
#undef RONDO_OP_NAME
};

#define RONDO_OP_COUNT(name) +1
inline constexpr size_t kOpCount = 0 RONDO_OPS(RONDO_OP_COUNT);
#undef RONDO_OP_COUNT

}  // namespace rondo::ir
