// A training step of many rows runs for a block of rows at a time, forward and backward:
//
//   for t: h = cell(...), stacked: Z, H, ...;  for t, backwards: dz = ...;  dU = H' dZ;  dX = dZ W'
//
// becomes  for each block of rows: both loops over time, and dX  of the block, and its part of dU. What the
// forward loop leaves for the backward one then stays in a near cache, and takes memory that does not grow
// with the number of rows.
//
// Each row is as it was, to the bit; what is a sum over rows, as gradients of parameters are, becomes a sum
// of the blocks' sums. What mixes rows runs for all of them, before the blocks or after. Where rows have
// lengths, or their number has a name, they are left alone.
#include <algorithm>
#include <set>

#include "passes/liveness.h"
#include "passes/passes.h"
#include "passes/row_blocks.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// Elements of a step that scans backwards read of a block's rows: over some 50 steps they fill what a third
/// cache has for a core.
constexpr int64_t kStepElements = 32768;
/// The fewest rows that are worth it, as each block takes all weights of a step once more: so many, more
/// where a matrix has a part of the second cache, and more where it is larger than that. Those that a third
/// cache hardly holds are left alone.
constexpr int64_t kFewestRows = 32, kRowsOfLarge = 64, kRowsOfHuge = 128;
constexpr int64_t kLargeMatrix = 1 << 16, kHugeMatrix = 1 << 20;
/// Loops over rows have so many side by side, and a rest.
constexpr int64_t kRowGrain = 8;
/// What a named dim is taken for where it matters to the choice only.
constexpr int64_t kTypicalExtent = 16;

/// Elements but for steps and rows.
int64_t elements_of_row(const Shape& shape) {
  int64_t elements = 1;
  for (size_t i = 2; i < shape.size(); ++i)
    elements *= shape[i].is_named() ? kTypicalExtent : shape[i].size();
  return elements;
}

/// The sequences of rows that a scan reads, each once.
std::set<Value> sequences_of(const Func& func, const Op& op) {
  const ScanView scan(op);
  std::set<Value> result;
  for (uint32_t i = 0; i < scan.xs; ++i)
    if (func.type(scan.x(i)).rank() > 1) result.insert(scan.x(i));
  return result;
}

/// Elements of the largest matrix that a body multiplies its rows with; of named extents more than any.
int64_t largest_matrix(const Func& body) {
  int64_t most = 0;
  for (const Op& op : body.ops) {
    if (op.kind != OpKind::matmul || op.attrs.ta) continue;
    const Shape& shape = body.type(op.operands[1]).shape;
    const bool named = shape[0].is_named() || shape[1].is_named();
    most = std::max(most, named ? kHugeMatrix + 1 : shape[0].size() * shape[1].size());
  }
  return most;
}

/// The rows of a block, which divide all; none where a block would be all, or blocks would lose time.
std::optional<int64_t> rows_of_block(const Func& func, const std::vector<const Op*>& gradients,
                                     int64_t rows) {
  std::set<Value> sequences;
  int64_t elements = 1, weights = 0;
  for (const Op* op : gradients) {
    sequences.merge(sequences_of(func, *op));
    weights = std::max(weights, largest_matrix(*op->body));
  }
  for (Value v : sequences) elements += elements_of_row(func.type(v).shape);
  const int64_t fewest = weights >= kHugeMatrix    ? kRowsOfHuge
                         : weights >= kLargeMatrix ? kRowsOfLarge
                                                   : kFewestRows;
  const int64_t most = std::max(kStepElements / elements, fewest);
  if (rows <= most || weights > kHugeMatrix) return std::nullopt;
  for (int64_t grain : {kRowGrain, int64_t{1}})
    for (int64_t block = most; block >= most / 2; --block)
      if (rows % block == 0 && block % grain == 0) return block;
  return std::nullopt;
}

}  // namespace

Func tile_rows(const Func& func, const Options& options) {
  const Flags live = live_values(func);
  std::vector<const Op*> gradients;
  for (const Op& op : func.ops) {
    const bool whole = op.kind == OpKind::scan && !op.attrs.lengths && !op.attrs.window.is_named();
    if (whole && is_gradient(func, op) && any_result(op, live) && !sequences_of(func, op).empty())
      gradients.push_back(&op);
  }
  if (gradients.empty()) return func;
  const Value sequence = *sequences_of(func, *gradients[0]).begin();
  const Shape& shape = func.type(sequence).shape;
  const Dim rows = shape[1];
  if (options.rows == 0 && (rows.is_named() || has_lengths(func, {shape[0], rows, 1}))) return func;
  const std::optional<int64_t> block =
      options.rows > 0 ? options.rows : rows_of_block(func, gradients, rows.size());
  if (!block || (!rows.is_named() && *block >= rows.size())) return func;
  const std::optional<RowAxes> found = find_rows(func, sequence, 1);
  if (!found) return func;
  return run_in_row_blocks(func, *found, windows_over(func, rows, *block), gradients).value_or(func);
}

}  // namespace rondo::passes
