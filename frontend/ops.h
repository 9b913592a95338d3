// The ops of the DSL: each is one primitive op, or short library code over them.
//
// Axes count from 0; negative ones from the last (-1).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "frontend/param.h"
#include "frontend/tensor.h"

namespace rondo {

// --- values from nothing; the dtype is the traced function's unless given

Tensor constant(double number, Shape shape = {}, Where where = Where::here());
Tensor constant(double number, const Type& type, Where where = Where::here());
inline Tensor zeros(Shape shape, Where where = Where::here()) { return constant(0, std::move(shape), where); }
inline Tensor ones(Shape shape, Where where = Where::here()) { return constant(1, std::move(shape), where); }
/// i32: each element is its index along the axis.
Tensor iota(Shape shape, int64_t axis, Where where = Where::here());
/// The extent of a dim as a scalar.
Tensor size(const Dim& dim, Where where = Where::here());
/// Uniform in [0, 1): a pure function of seed, count (both i32 scalars) and the index of the element.
Tensor random_uniform(Operand seed, Operand count, Shape shape);

// --- element by element

Tensor exp(Operand x);
Tensor log(Operand x);
Tensor tanh(Operand x);
Tensor sigmoid(Operand x);
Tensor sqrt(Operand x);
Tensor rsqrt(Operand x);
Tensor abs(Operand x);
Tensor cos(Operand x);
Tensor floor(Operand x);
Tensor relu(Operand x);
Tensor square(Operand x);
Tensor cast(Operand x, DType dtype);
/// The value, as a constant for gradients.
Tensor detach(Operand x);

Tensor max(Operand a, Operand b);
Tensor min(Operand a, Operand b);
Tensor less(Operand a, Operand b);
Tensor greater(Operand a, Operand b);
Tensor equal(Operand a, Operand b);
/// a where the condition holds, else b.
Tensor select(Operand condition, Operand a, Operand b);

// --- shape

Tensor reshape(Operand x, Shape shape);
/// Axis i of the result is axis axes[i] of x.
Tensor transpose(Operand x, std::vector<int64_t> axes);
/// A matrix, transposed.
inline Tensor transpose(Operand x) { return transpose(x, {1, 0}); }
/// Axes 0 and 1 change places: [T,B,...] and [B,T,...].
Tensor swap_batch_and_time(Operand x);
/// A new axis of extent n, along which x is repeated: how [B] becomes [B,V].
Tensor expand(Operand x, int64_t axis, Dim n);
/// x with the dims that `like` has after as many as x has, along which x is repeated: how a mask [T,B]
/// becomes one for [T,B,H].
Tensor expand_like(Operand x, const Tensor& like);
/// Elements lo to hi - 1 along the axis.
Tensor slice(Operand x, int64_t axis, int64_t lo, int64_t hi);
Tensor concat(const std::vector<Tensor>& parts, int64_t axis, Where where = Where::here());
/// Tensors of one shape side by side along a new axis.
Tensor stack(const std::vector<Tensor>& parts, int64_t axis, Where where = Where::here());
std::vector<Tensor> split(Operand x, int64_t parts, int64_t axis);
/// N equal parts along the axis.
template <int N>
std::array<Tensor, N> split(Operand x, int64_t axis) {
  std::vector<Tensor> parts = split(x, N, axis);
  std::array<Tensor, N> result;
  for (int i = 0; i < N; ++i) result[i] = parts[i];
  return result;
}

// --- contractions and reductions

struct MatmulOptions {
  bool ta = false, tb = false;  // the operand is transposed
};
/// a may have leading dims: [T,B,I] x [I,H] is [T,B,H].
Tensor matmul(Operand a, Operand b, MatmulOptions options = {});

/// The axes that a reduction drops; all of them by default.
class Axes {
 public:
  Axes() = default;
  Axes(int64_t axis) : all_(false), axes_{axis} {}                         // NOLINT: implicit
  Axes(std::initializer_list<int64_t> axes) : all_(false), axes_(axes) {}  // NOLINT
  /// Sorted and from 0, for a tensor x.
  std::vector<int64_t> of(const Tensor& x, Where where) const;

 private:
  bool all_ = true;
  std::vector<int64_t> axes_;
};

Tensor sum(Operand x, Axes axes = {});
Tensor mean(Operand x, Axes axes = {});
Tensor reduce_max(Operand x, Axes axes = {});
/// i32: the index of the first largest element.
Tensor argmax(Operand x, int64_t axis = -1);

// --- by index

/// Rows of a table: ids [T,B] and a table [V,E] give [T,B,E].
Tensor gather(Operand table, Operand ids);
/// The ids as they are, each in [0, count): those of an input are checked before the call.
Tensor check_ids(Operand ids, Dim count, int32_t from = 0);
/// 1 where the new last axis, of extent n, equals the id, else 0.
Tensor one_hot(Operand ids, int64_t n);

// --- stable compositions

Tensor logsumexp(Operand x, int64_t axis = -1);
Tensor softmax(Operand x, int64_t axis = -1);
Tensor log_softmax(Operand x, int64_t axis = -1);

}  // namespace rondo
