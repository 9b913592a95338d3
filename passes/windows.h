// Ops of a function that run for windows of steps, one after the other: what recompute and tile-outputs
// share.
#pragma once

#include <map>
#include <optional>

#include "ir/builder.h"
#include "passes/activity.h"

namespace rondo::passes {

/// The windows: of the `steps` in front of tensors, at most `longest` at a time.
struct Windows {
  ir::Dim steps, longest;
  ir::Dim window;  // the name of their number in the body
  bool reverse = false;
};
Windows windows_over(const ir::Func& func, const ir::Dim& steps, const ir::Dim& longest);

/// The steps that have about so many rows, of a tensor whose other dims but the last one are rows of a step.
ir::Dim steps_with(const ir::Shape& shape, int64_t rows);
/// Whether rows of a tensor of that shape end before the last step. Then all rows that are left run at once,
/// and no others.
bool has_lengths(const ir::Func& func, const ir::Shape& shape);

/// Whether a scan reads what one in the other direction left for it, as gradients do.
bool is_gradient(const ir::Func& func, const ir::Op& scan);

/// An op whose result at a step needs its operands at that step only, or that sums over the steps.
struct OverWindow {
  ir::Attrs attrs;            // of the op over `window` steps
  std::vector<char> stacked;  // per operand: has a leading dim of steps, of which a window is enough
  bool sums = false;          // the result is a sum over the steps
};

/// The op for a window; none where it mixes steps, or has to do with none of them.
std::optional<OverWindow> over_windows(const ir::Func& func, const ir::Op& op, const Windows& windows);

/// Which ops run in windows together. No op outside needs one of them and is needed by another.
class WindowMembers {
 public:
  /// Of the ops that are `wanted` (a flag per op), those that can be.
  WindowMembers(const ir::Func& func, Windows windows, const Flags& wanted);

  const Windows& windows() const { return windows_; }
  bool contains(const ir::Op& op) const { return ops_.contains(&op); }
  /// Whether v is there for a window at a time.
  bool inside(ir::Value v) const { return in_[v.id]; }
  /// Whether v is known only after the last window.
  bool after(ir::Value v) const { return after_[v.id]; }
  const OverWindow& operator[](const ir::Op& op) const { return ops_.at(&op); }

  bool is_stacked(const ir::Op& op, size_t operand) const { return ops_.at(&op).stacked[operand]; }

 private:
  void add(const ir::Func& func, const ir::Op& op, bool wanted);

  Windows windows_;
  Flags in_, after_;  // of the values of func
  std::map<const ir::Op*, OverWindow> ops_;
};

/// The function with the members as one scan of windows. The carries of members that are scans are its own;
/// a sum over all steps is a carry to which each window adds its sum.
ir::Func run_in_windows(const ir::Func& func, const WindowMembers& members);

}  // namespace rondo::passes
