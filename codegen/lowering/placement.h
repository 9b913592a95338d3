// Decides, for one region, which values live in buffers and which are computed inside the kernels that use
// them.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "ir/func.h"

namespace rondo::codegen {

/// What may share one kernel: the same iteration space, at the same depth of the dependences between kernels.
struct Space {
  ir::Shape dims;
  int level = 0;
  int reduction = -1;  // op whose accumulator's term this is; -1: after the accumulators

  auto operator<=>(const Space&) const = default;
};

/// A part of a placed op (concat, pad) that a kernel writes: the operand's elements.
struct Piece {
  uint32_t op = 0;  // index of the placed op
  uint32_t operand = 0;
  uint32_t kernel = 0;
};

/// The plan of one region.
///
/// A value is *written* when a kernel computes it: an elementwise, reduced or gathered value. Uses of a
/// written value are either at the same index (`pointwise`), at a shifted one (`slice`), or *crossing*: at
/// other indices, or all of them. A crossing use needs the value in a buffer, finished, so it lies one level
/// deeper. A written value without crossing uses whose users all lie in one space is computed inside their
/// kernel; every other one is a *root*: its own space is its shape, and it gets a buffer. Kernels are the
/// connected parts of a space. Within a level dependences only run from larger to smaller spaces, so the
/// kernels have an order.
struct Placement {
  std::vector<char> root;  // per value: lives in a buffer that a kernel writes
  std::vector<int64_t>
      kernel;  // per value: the kernel that computes it, or -1 (param, scan or placed result, inline view)
  std::vector<Piece> pieces;
  std::vector<ir::Shape> dims;  // per kernel
  uint32_t kernels = 0;
};

/// in_loop: the region is a scan's body. There all kernels of one space that hold no reduction are one, even
/// if not connected: a step has fewer of them, and a body of one kernel may run by points (point_loops.h).
Placement place(const ir::Func& region, bool in_loop);

}  // namespace rondo::codegen
