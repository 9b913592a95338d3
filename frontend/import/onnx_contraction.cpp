// Ops of ONNX that sum: products of matrices, reductions, and what is normalised by them.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "frontend/import/onnx_shapes.h"

namespace rondo::onnx {
namespace {

/// Products of stacks of matrices: [..., M, K] and [..., K, N].
Tensor batched_matmul(const Call& c, const Tensor& a, const Tensor& b) {
  const Shape lead_a(a.shape().begin(), a.shape().end() - 2), lead_b(b.shape().begin(), b.shape().end() - 2);
  if (a.dim(-1) != b.dim(-2))
    c.fail(fmt::format("{} x {}: inner dims differ", to_string(a.type()), to_string(b.type())));
  Shape shape = broadcast_shape(c, lead_a, lead_b);
  const auto lead = static_cast<int64_t>(shape.size());
  shape.insert(shape.end(), {a.dim(-2), b.dim(-1), a.dim(-1)});  // [..., M, N, K]
  std::vector<int64_t> swapped(b.rank());
  std::iota(swapped.begin(), swapped.end(), 0);
  std::swap(swapped[b.rank() - 1], swapped[b.rank() - 2]);
  const Tensor rows = broadcast_to(with_axes(a, {a.rank() - 1}), shape);
  const Tensor columns = broadcast_to(with_axes(transpose(b, swapped), {b.rank() - 2}), shape);
  return sum_over(rows * columns, {lead + 2});
}

void emit_matmul(Call& c) {
  const Tensor a = c.tensor(0), b = c.tensor(1);
  if (a.rank() == 0 || b.rank() == 0) c.fail("an operand is a scalar");
  if (b.rank() == 1) return c.result(without_axes(matmul(a, with_axes(b, {1})), {a.rank() - 1}));
  if (b.rank() == 2) return c.result(matmul(a, b));
  if (a.rank() == 1) return c.result(without_axes(batched_matmul(c, with_axes(a, {0}), b), {b.rank() - 2}));
  c.result(batched_matmul(c, a, b));
}

void emit_gemm(Call& c) {
  Tensor a = c.tensor(0);
  const Shape b = c.type(1).shape;
  if (a.rank() != 2 || b.size() != 2) c.fail("an operand is no matrix");
  if (c.flag("transA")) a = transpose(a);
  const double alpha = c.number("alpha", 1), beta = c.number("beta", 1);
  const bool fixed = !b[0].is_named() && !b[1].is_named();
  Tensor y;
  if (!c.flag("transB")) {
    y = matmul(a, c.tensor(1));
  } else {
    y = fixed ? factor_of(c, 1, b[0].size(), b[1].size(), 0).times(a) : matmul(a, c.tensor(1), {.tb = true});
  }
  if (alpha != 1) y = alpha * y;
  if (c.has(2) && beta != 0) {
    const Tensor bias = broadcast_input(c, 2, y.shape());
    y = y + (beta == 1 ? bias : beta * bias);
  }
  c.result(y);
}

/// All axes where there are none, unless that means none.
std::vector<int64_t> reduced_axes(const Call& c, int64_t input_since, int64_t rank) {
  std::vector<int64_t> axes = axes_of(c, input_since, rank);
  const bool none = c.opset() >= input_since && c.flag("noop_with_empty_axes");
  if (axes.empty() && !none) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  return axes;
}

/// f gives the reduction of a tensor over axes.
template <int64_t kAxesSince, class F>
OpEntry reduction(F) {
  return {[](Call& c) {
    const Tensor x = c.tensor(0);
    const std::vector<int64_t> axes = reduced_axes(c, kAxesSince, x.rank());
    const bool keep = c.flag("keepdims", true);
    const Tensor y = axes.empty() ? x : F{}(x, axes);
    c.result(keep ? with_axes(y, axes) : y);
  }};
}

using T = const Tensor&;
using Ints = const std::vector<int64_t>&;

void emit_argmax(Call& c) {
  const Tensor x = c.tensor(0);
  const int64_t axis = c.axis(c.integer("axis", 0), x.rank());
  if (c.flag("select_last_index")) c.fail("select_last_index is not supported");
  const bool keep = c.flag("keepdims", true);
  const Tensor index = argmax(c.op() == "ArgMin" ? -x : x, axis);
  c.result(keep ? with_axes(index, {axis}) : index);
}

/// Over one axis since opset 13, over all from the axis on before.
void emit_softmax(Call& c) {
  const Tensor x = c.tensor(0);
  const bool one_axis = c.opset() >= 13;
  const int64_t axis = c.axis(c.integer("axis", one_axis ? -1 : 1), x.rank());
  auto apply = [&](T t, int64_t at) { return c.op() == "Softmax" ? softmax(t, at) : log_softmax(t, at); };
  if (one_axis || axis == x.rank() - 1) return c.result(apply(x, axis));
  Shape merged(x.shape().begin(), x.shape().begin() + axis);
  int64_t count = 1;
  for (int64_t i = axis; i < x.rank(); ++i) {
    if (x.shape()[i].is_named()) c.fail(fmt::format("{}: a named dim cannot be merged", to_string(x.type())));
    count *= x.shape()[i].size();
  }
  merged.push_back(count);
  c.result(reshape(apply(reshape(x, merged), axis), x.shape()));
}

/// (x - mean) / sqrt(variance + epsilon), where both are over the axes.
Tensor normalised(T x, Ints axes, double epsilon) {
  auto mean_of = [&](T t) {
    return broadcast_to(with_axes(sum_over(t, axes) / count_of(t, axes), axes), t.shape());
  };
  const Tensor centered = x - mean_of(x);
  return centered * rsqrt(mean_of(square(centered)) + epsilon);
}

void emit_layer_norm(Call& c) {
  const Tensor x = c.tensor(0);
  std::vector<int64_t> axes(x.rank() - c.axis(c.integer("axis", -1), x.rank()));
  std::iota(axes.begin(), axes.end(), x.rank() - static_cast<int64_t>(axes.size()));
  if (!c.flag("stash_type", true)) c.fail("stash_type is not 1");
  Tensor y = normalised(x, axes, c.number("epsilon", 1e-5)) * broadcast_input(c, 1, x.shape());
  if (c.has(2)) y = y + broadcast_input(c, 2, x.shape());
  c.result(y);
}

/// A parameter of each channel, for x [N,C,...].
Tensor of_channels(const Call& c, size_t input, T x) {
  std::vector<int64_t> after(x.rank() - 2);
  std::iota(after.begin(), after.end(), 1);
  return broadcast_to(with_axes(c.tensor(input), after), x.shape());
}

void emit_batch_norm(Call& c) {
  const Tensor x = c.tensor(0);
  if (x.rank() < 2 || c.type(1).rank() != 1) c.fail(fmt::format("{} has no channels", to_string(x.type())));
  c.number("momentum", 0.9);
  if (c.flag("training_mode")) c.fail("is supported for inference only");
  if (c.opset() < 9 && c.has("spatial") && !c.flag("spatial")) c.fail("spatial = 0 is not supported");
  const Tensor scale = of_channels(c, 1, x) * rsqrt(of_channels(c, 4, x) + c.number("epsilon", 1e-5));
  c.result((x - of_channels(c, 3, x)) * scale + of_channels(c, 2, x));
}

const OpTable& reductions() {
  static const OpTable ops = {
      {"ReduceSum", reduction<13>([](T x, Ints axes) { return sum_over(x, axes); })},
      {"ReduceMean", reduction<18>([](T x, Ints axes) { return sum_over(x, axes) / count_of(x, axes); })},
      {"ReduceMax", reduction<18>([](T x, Ints axes) { return max_over(x, axes); })},
      {"ReduceMin", reduction<18>([](T x, Ints axes) { return -max_over(-x, axes); })},
      {"ReduceSumSquare", reduction<18>([](T x, Ints axes) { return sum_over(x * x, axes); })},
      {"ReduceL1", reduction<18>([](T x, Ints axes) { return sum_over(abs(x), axes); })},
      {"ReduceL2", reduction<18>([](T x, Ints axes) { return sqrt(sum_over(x * x, axes)); })},
      {"ReduceLogSum", reduction<18>([](T x, Ints axes) { return log(sum_over(x, axes)); })},
      {"ReduceLogSumExp", reduction<18>([](T x, Ints axes) {
         const Tensor largest = max_over(x, axes);
         return largest + log(sum_over(exp(x - broadcast_to(with_axes(largest, axes), x.shape())), axes));
       })},
      {"ArgMax", {emit_argmax}},
      {"ArgMin", {emit_argmax}},
  };
  return ops;
}

}  // namespace

const OpTable& contraction_ops() {
  static const OpTable ops = [] {
    OpTable all = {
        {"MatMul", {emit_matmul}},
        {"Gemm", {emit_gemm}},
        {"Softmax", {emit_softmax}},
        {"LogSoftmax", {emit_softmax}},
        {"LayerNormalization", {emit_layer_norm}},
        {"BatchNormalization", {emit_batch_norm}},
    };
    all.insert(reductions().begin(), reductions().end());
    return all;
  }();
  return ops;
}

}  // namespace rondo::onnx
