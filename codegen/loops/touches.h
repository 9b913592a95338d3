// The accesses of a loop program by buffer, and buffers as columns of the rows of others.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "codegen/loops/split_kernels.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// One access to a buffer.
struct Touch {
  /// The statement at each depth, from the program down to the kernel.
  struct Step {
    size_t index;
    const ir::Loop* loop;  // null for the kernel
  };
  std::vector<Step> path;
  ir::Kernel* kernel;
  ir::Access* access;
  std::vector<ir::Poly> extents;  // of the access's variables, at most
  bool store, in_accumulator;

  /// The loop around the kernel; null for none.
  const ir::Loop* loop() const { return path.size() > 1 ? path[path.size() - 2].loop : nullptr; }
};
using Touches = std::vector<Touch>;

/// In the order of the program; they point into it.
std::map<ir::BufferId, Touches> touches_of(ir::LoopProgram&);
Trips trips_of(const ir::LoopProgram&);

/// Columns of the rows of a host: element q * width + c stands at first + q * host_width + column + c.
struct Place {
  int64_t width, host_width, column;
  int64_t first = 0;  // whole rows
};

/// The access in the host, if it is plain which variables count rows and which columns. The buffer stays.
std::optional<ir::Access> placed(const Touch&, const Place&);

/// The columns [first, end) of rows of so many that an access reaches; all, where it is not plain.
struct ColumnRange {
  int64_t first, end;
};
ColumnRange columns_of(const ir::Access&, const std::vector<ir::Poly>& extents, int64_t row);

/// p / by, if that has no rest.
std::optional<ir::Poly> quotient(const ir::Poly& p, int64_t by);

}  // namespace rondo::codegen
