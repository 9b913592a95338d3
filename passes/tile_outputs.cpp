// A wide output layer and what becomes of it run for blocks of rows. Of a language model over V symbols the
// logits Y = H W + b, f32[T,B,V], are by far the largest tensor of a training step, and the loss needs of
// them a few numbers a row, the gradient three sums:
//
//   loss_r = logsumexp(y_r) - y_r[id_r]    dY = softmax(Y) - onehot(ids)    dH = dY W'    dW = H' dY    db =
//   1' dY
//
// All that has the shape of the logits, forward and backward, becomes the body of a scan of windows of steps:
// a block of logits is made, and turned into its gradient, and used, before the next one is. Nothing is
// computed twice, as the loss is a mean, so that its gradient at a row is known before the loss.
//
// Rows are as they were, to the bit; what is summed over all rows, dW and db, becomes a sum of the blocks'
// sums.
#include <algorithm>

#include "ir/op_def.h"
#include "passes/liveness.h"
#include "passes/passes.h"
#include "passes/windows.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// Columns from which an output is wide: below, all of its rows take no more memory than the states of the
/// layers before it.
constexpr int64_t kWide = 4096;
/// Rows of a block: as many as make the multiply-adds of a block take far longer than W and dW take to pass.
constexpr int64_t kBlockRows = 512;

/// The ops that have to do with a tensor of that shape, by index, and those between two of them.
Flags ops_around(const Func& func, const Shape& shape) {
  const size_t count = func.ops.size();
  Flags around(count), from(func.values.size()), to(func.values.size());
  auto has_shape = [&](Value v) { return func.type(v).shape == shape; };
  for (size_t k = 0; k < count; ++k) {
    const Op& op = func.ops[k];
    around[k] = std::ranges::any_of(op.operands, has_shape);
    bool follows = std::ranges::any_of(op.operands, [&](Value v) { return from[v.id] != 0; });
    for (uint32_t i = 0; i < op.result_count; ++i) around[k] |= has_shape(op.result(i));
    for (uint32_t i = 0; i < op.result_count; ++i) from[op.result(i).id] = follows || around[k];
  }
  for (size_t k = count; k-- > 0;) {
    const Op& op = func.ops[k];
    const bool leads = any_result(op, to), follows = any_result(op, from);
    if (leads || around[k])
      for (Value v : op.operands) to[v.id] = true;
    around[k] |= leads && follows;
  }
  return around;
}

/// All tensors of the shape, in blocks of rows; none if one of them is needed as a whole.
std::optional<Func> tile(const Func& func, const Shape& shape, int64_t rows) {
  if (has_lengths(func, shape)) return std::nullopt;
  const Dim steps = shape[0], longest = steps_with(shape, rows);
  if (!steps.is_named() && !longest.is_named() && steps.size() <= longest.size()) return std::nullopt;
  auto has_shape = [&](Value v) { return func.type(v).shape == shape; };
  if (std::ranges::any_of(func.results, has_shape)) return std::nullopt;
  const Flags around = ops_around(func, shape);
  const WindowMembers members(func, windows_over(func, steps, longest), around);
  for (size_t k = 0; k < func.ops.size(); ++k)
    if (around[k] && !members.contains(func.ops[k])) return std::nullopt;
  return run_in_windows(func, members);
}

bool is_output(const Func& func, const Op& op, int64_t wide) {
  const Shape& shape = func.type(op.result()).shape;
  return op.kind == OpKind::matmul && !op.attrs.ta && shape.size() > 1 && !shape.back().is_named() &&
         shape.back().size() >= wide;
}

}  // namespace

Func tile_outputs(const Func& func, const Options& options) {
  const int64_t rows = options.rows > 0 ? options.rows : kBlockRows, wide = options.rows > 0 ? 1 : kWide;
  const Flags live = live_values(func);
  for (const Op& op : func.ops) {
    if (!is_output(func, op, wide) || !any_result(op, live)) continue;
    if (std::optional<Func> tiled = tile(func, func.type(op.result()).shape, rows))
      return tile_outputs(*tiled, options);
  }
  return func;
}

}  // namespace rondo::passes
