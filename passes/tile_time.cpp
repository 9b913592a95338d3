// What was hoisted out of a scan runs with it again, for a block of steps at a time:
//
//   Z = X W, f32[T,B,4H];  for t: h = cell(Z_t + h U);  Y = H V
//
// becomes  for each block of steps: Z, the scan, Y  of the block. The products stay as large as they have to
// be, and what they leave for the scan stays in a near cache, and takes memory that does not grow with T.
//
// Every step is as it was, to the bit: sums over steps do not take part. For calls of one step there is more
// to set up; so a function has to ask for it.
#include <algorithm>

#include "ir/op_def.h"
#include "passes/liveness.h"
#include "passes/passes.h"
#include "passes/windows.h"
#include "support/error.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// The most rows of a block: as many as make its multiply-adds take far longer than the weights take to pass.
constexpr int64_t kBlockRows = 512;

/// As many steps as have so many rows, but at most `most`: the recurrent weights pass at each step, so that
/// the others, which pass once a block, cost little beside them after some dozens.
Dim steps_of_block(const Shape& product, const Dim& most) {
  const Dim steps = steps_with(product, kBlockRows);
  return steps.is_named() ? most : Dim(std::min(steps.size(), most.size()));
}

bool is_forward(const Op& op) {
  return op.kind == OpKind::scan && !op.attrs.reverse && !op.attrs.lengths && !op.attrs.window.is_named();
}

/// The ops that work on each step by itself and feed forward scans of so many steps or follow from them, by
/// index, and those scans.
Flags ops_of_steps(const Func& func, const Windows& windows) {
  const size_t count = func.ops.size();
  Flags wanted(count), apart(count), from(func.values.size()), to(func.values.size());
  for (size_t k = 0; k < count; ++k) {
    const Op& op = func.ops[k];
    const std::optional<OverWindow> member = over_windows(func, op, windows);
    apart[k] = member && !member->sums;
    wanted[k] = apart[k] && (op.kind == OpKind::scan ||
                             std::ranges::any_of(op.operands, [&](Value v) { return from[v.id] != 0; }));
    for (uint32_t i = 0; i < op.result_count; ++i) from[op.result(i).id] = wanted[k];
  }
  for (size_t k = count; k-- > 0;) {
    const Op& op = func.ops[k];
    if (!apart[k] || !(wanted[k] || any_result(op, to))) continue;
    wanted[k] = true;
    for (Value v : op.operands) to[v.id] = true;
  }
  return wanted;
}

/// A product of all steps that a scan reads.
const Op* hoisted_product(const Func& func, const Op& scan) {
  const ScanView s(scan);
  Flags needed(func.values.size());
  for (uint32_t i = 0; i < s.xs; ++i) needed[s.x(i).id] = true;
  const Op* product = nullptr;
  for (size_t k = func.ops.size(); k-- > 0;) {
    const Op& op = func.ops[k];
    if (!any_result(op, needed) || op.kind == OpKind::scan) continue;
    if (op.kind == OpKind::matmul && func.type(op.result()).shape[0] == trip_count(func, scan)) product = &op;
    for (Value v : op.operands) needed[v.id] = true;
  }
  return product;
}

std::optional<Func> tile(const Func& func, const Op& scan, const Dim& most) {
  const Op* product = hoisted_product(func, scan);
  if (!product) return std::nullopt;
  const Shape& shape = func.type(product->result()).shape;
  if (has_lengths(func, shape)) return std::nullopt;
  const Dim steps = trip_count(func, scan), longest = steps_of_block(shape, most);
  if (!steps.is_named() && steps.size() <= longest.size()) return std::nullopt;
  const Windows windows = windows_over(func, steps, longest);
  const WindowMembers members(func, windows, ops_of_steps(func, windows));
  if (!members.contains(scan) || !members.contains(*product)) return std::nullopt;
  return run_in_windows(func, members);
}

}  // namespace

Func tile_time(const Func& func, const Options& options) {
  if (options.window.is_named()) throw Error("rondo: tile-time: a block is of a number of steps");
  const Flags live = live_values(func);
  for (const Op& op : func.ops) {
    if (!is_forward(op) || !any_result(op, live)) continue;
    if (std::optional<Func> tiled = tile(func, op, options.window)) return tile_time(*tiled, options);
  }
  return func;
}

}  // namespace rondo::passes
