// The gradients that a scan backwards in time leaves for sums over its steps live for a block of steps:
//
//   for t, backwards: dz = ..., stacked: dZ        dU = H' dZ    db = 1' dZ    dW = X' dZ    dX = dZ W'
//
// becomes  for each block of steps, backwards: dZ, and its part of dU, db, dW; dX  of the block. A cell whose
// gradient reads little of the forward walk, as that of a plain RNN, or that has several such sequences,
// needs far less memory then.
//
// Where the scan reads as much for the last time as it writes, as gates that become their gradients, the loop
// program keeps one in the place of the other (codegen/loops/nest_buffers.h), and there is nothing to save.
//
// Steps are as they were, to the bit, and so are gradients of inputs and states; gradients of parameters
// become sums of the blocks' sums.
#include <algorithm>
#include <set>
#include <span>

#include "ir/op_def.h"
#include "passes/liveness.h"
#include "passes/passes.h"
#include "passes/windows.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// Rows of a block: as many as make its multiply-adds take far longer than the sums take to pass.
constexpr int64_t kBlockRows = 256;
/// What a named dim is taken for where it matters to the choice only: many steps, some rows.
constexpr int64_t kTypicalSteps = 64, kTypicalExtent = 16;

/// The ops that run with the scan, by index: what follows from it, and what only these need.
Flags ops_with(const Func& func, const Op& seed, const Windows& windows) {
  const size_t count = func.ops.size();
  Flags wanted(count), follows(func.values.size()), elsewhere(func.values.size());
  for (size_t k = 0; k < count; ++k) {
    const Op& op = func.ops[k];
    const bool from = std::ranges::any_of(op.operands, [&](Value v) { return follows[v.id] != 0; });
    wanted[k] = &op == &seed || (from && over_windows(func, op, windows));
    for (uint32_t i = 0; i < op.result_count; ++i) follows[op.result(i).id] = wanted[k];
  }
  for (Value v : func.results) elsewhere[v.id] = true;
  for (size_t k = count; k-- > 0;) {
    const Op& op = func.ops[k];
    if (!wanted[k] && op.kind != OpKind::scan && !any_result(op, elsewhere)) {
      const std::optional<OverWindow> member = over_windows(func, op, windows);
      wanted[k] = member && !member->sums;
    }
    for (Value v : op.operands) elsewhere[v.id] |= !wanted[k];
  }
  return wanted;
}

int64_t elements_of_step(const Shape& shape) {
  int64_t elements = 1;
  for (size_t i = 1; i < shape.size(); ++i)
    elements *= shape[i].is_named() ? kTypicalExtent : shape[i].size();
  return elements;
}

/// Whether a result of a scan stacks a carry: such sequences share their memory with it and with each other.
bool stacks_carry(const ScanView& scan, uint32_t result) {
  const auto& all = scan.body.results;
  const auto params = std::span(scan.body.params).subspan(scan.consts, scan.carries);
  const auto next = std::span(all).first(scan.carries);
  return std::ranges::count(params, all[result]) > 0 || std::ranges::count(next, all[result]) > 0;
}

/// What blocks of steps save: elements of a step of the sequences that are there for a block only, and of
/// those whose places they could take else, or that could take theirs.
struct Savings {
  int64_t made = 0, places = 0;
  /// They are to be a large part of what is read and written, as a sum of blocks takes time.
  bool are_large() const { return 4 * (made - places) > made + places; }
};

class Balance {
 public:
  Balance(const Func& func, const WindowMembers& members)
      : func_(func),
        members_(members),
        outside_(func.values.size()),
        crossing_(outside_),
        late_(outside_),
        follows_(outside_) {
    for (Value v : func.results) outside_[v.id] = late_[v.id] = true;
    bool after = false;
    for (const Op& op : func.ops) {
      const bool member = members.contains(op), scan = op.kind == OpKind::scan;
      after |= member && scan;
      const bool moves = def_of(op.kind).elements_of >= 0;
      const bool from = std::ranges::any_of(op.operands, [&](Value v) { return follows_[v.id] != 0; });
      for (uint32_t i = 0; i < op.result_count; ++i)
        follows_[op.result(i).id] = member && (scan || (from && !moves));
      for (Value v : op.operands) {
        outside_[v.id] |= !member;
        crossing_[v.id] |= member && (scan || op.kind == OpKind::matmul);
        late_[v.id] |= after && !(member && scan);
      }
    }
  }

  Savings run() {
    for (const Op& op : func_.ops) {
      if (!members_.contains(op)) continue;
      if (op.kind == OpKind::scan)
        add_scan(ScanView(op));
      else if (crossing_[op.result().id] && follows_[op.result().id] && is_made(op.result()))
        savings_.made += elements_of_step(func_.type(op.result()).shape);
    }
    return savings_;
  }

 private:
  bool is_made(Value v) const { return members_.inside(v) && !outside_[v.id]; }

  /// Pieces that two sequences have in common count once, as the loop program keeps them (share_columns.h).
  void add_scan(const ScanView& scan) {
    std::set<Value> pieces, read;
    for (uint32_t i = scan.carries; i < scan.op.result_count; ++i) {
      const Value inner = scan.body.results[i];
      const Op* def = scan.body.def(inner);
      if (!is_made(scan.op.result(i))) {
        if (!stacks_carry(scan, i)) savings_.places += elements_of_step(func_.type(scan.op.result(i)).shape);
      } else if (def && def->kind == OpKind::concat) {
        pieces.insert(def->operands.begin(), def->operands.end());
      } else {
        pieces.insert(inner);
      }
    }
    for (Value v : pieces) savings_.made += element_count(scan.body.type(v).shape).evaluate(typical(scan));
    for (uint32_t i = 0; i < scan.xs; ++i)
      if (read.insert(scan.x(i)).second && is_free_after(scan.x(i)))
        savings_.places += elements_of_step(func_.type(scan.x(i)).shape);
  }

  /// Whether the scans are the last to read a sequence from outside that may be written over.
  bool is_free_after(Value v) const {
    const Op* def = func_.def(v);
    if (!def || def->operands.empty() || members_.inside(v) || late_[v.id]) return false;
    if (def->kind != OpKind::scan) return true;
    uint32_t result = 0;
    while (def->result(result) != v) ++result;
    return !stacks_carry(ScanView(*def), result);
  }

  static DimValues typical(const ScanView& scan) {
    DimValues values;
    for (const std::string& name : named_dims(scan.body)) values[name] = kTypicalExtent;
    return values;
  }

  const Func& func_;
  const WindowMembers& members_;
  // Of the values: needed by no member; read by a product or a scan that is one; read by others than these
  // scans once they run; computed by members from what a scan of them made.
  Flags outside_, crossing_, late_, follows_;
  Savings savings_;
};

const Shape& widest_sequence(const Func& func, const Op& scan) {
  const auto xs = std::span(scan.operands).subspan(scan.attrs.consts + scan.attrs.carries);
  return func
      .type(*std::ranges::max_element(xs, {}, [&](Value v) { return elements_of_step(func.type(v).shape); }))
      .shape;
}

/// A step of so few rows that calls are likely to have no more than a block: there the sums would take
/// longer.
bool has_few_rows(const Shape& shape) {
  const bool named = std::any_of(shape.begin() + 1, shape.end(), [](const Dim& d) { return d.is_named(); });
  return !named && elements_of_step({shape.begin(), shape.end() - 1}) * kTypicalSteps < kBlockRows;
}

std::optional<Func> tile(const Func& func, const Op& scan, int64_t asked) {
  const Shape& shape = widest_sequence(func, scan);
  if (has_lengths(func, shape) || (asked == 0 && has_few_rows(shape))) return std::nullopt;
  const Dim steps = shape[0], longest = steps_with(shape, asked > 0 ? asked : kBlockRows);
  if (!steps.is_named() && !longest.is_named() && steps.size() <= longest.size()) return std::nullopt;
  Windows windows = windows_over(func, steps, longest);
  windows.reverse = scan.attrs.reverse;
  const WindowMembers members(func, windows, ops_with(func, scan, windows));
  if (!members.contains(scan) || !Balance(func, members).run().are_large()) return std::nullopt;
  return run_in_windows(func, members);
}

}  // namespace

Func tile_sequences(const Func& func, const Options& options) {
  const Flags live = live_values(func);
  for (const Op& op : func.ops) {
    const bool whole = op.kind == OpKind::scan && !op.attrs.lengths && !op.attrs.window.is_named();
    if (!whole || !is_gradient(func, op) || !any_result(op, live)) continue;
    if (std::optional<Func> tiled = tile(func, op, options.rows)) return tile_sequences(*tiled, options);
  }
  return func;
}

}  // namespace rondo::passes
