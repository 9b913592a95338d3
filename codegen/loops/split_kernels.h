// How the threads of a program share its work: each runs every kernel, for some of its points.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// Rows for each thread from which rows are split rather than columns: with fewer, a thread would read all
/// weights for little work.
inline constexpr int64_t kRowsOfThread = 4;

/// The points first, first + step, ... of `size` that are a thread's share of 0..extent. The polynomials of a
/// kernel's part may hold the two names.
struct Share {
  std::string first, size;
  ir::Poly extent;
  ir::Split split;
};

Share share_over(const ir::Poly& extent, const ir::Split&);

struct Range {
  int64_t first = 0, size = 0;
};
/// The share of one of so many threads; the shares of all cover 0..extent.
Range share_of(const ir::Split&, int64_t extent, int64_t thread, int64_t threads);

/// What one thread runs of a kernel that is split: the kernel over its share of the points.
struct KernelPart {
  ir::Kernel kernel;
  Share share;
};
KernelPart part_of(const ir::Kernel&, int64_t threads);

/// Makes a program for several threads of a scheduled one: chooses the dim by which each kernel is split, so
/// that every sum stays whole and in order, and gives each thread its own copy of what a gemm packs for its
/// own columns and of its workspace. Of what is prepared, only the copies of own columns stay so; the others
/// are those of the program for one thread. Before memory is planned.
void split_kernels(ir::LoopProgram&, const Target&, int64_t threads);

/// Trip counts of the loops of a program.
using Trips = std::map<ir::LoopId, ir::Poly>;
/// Whether the element that an access reaches tells the value of variable `v`, as a row-major index tells
/// each of its numbers: two accesses for which this holds, of one stride and extent of v, reach one element
/// for one value of v only. `extents` are those of the access's variables.
bool tells(const ir::Access&, size_t v, const std::vector<ir::Poly>& extents, const Trips&);
/// The polynomial with the most that each count may be, without the quotients that are blocks of rows.
ir::Poly at_most(const ir::LoopProgram&, const ir::Poly&);

}  // namespace rondo::codegen
