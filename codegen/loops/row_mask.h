// Which rows of a batch take part in which steps: `step < length[row]`, as kernels compute it.
#pragma once

#include <map>
#include <vector>

#include "ir/loops.h"

namespace rondo::codegen {

/// Where the step and the row are among the variables of a scope: a kernel's dims, then its accumulator's.
struct StepAndRow {
  static constexpr size_t kNoVariable = ~size_t{0};
  ir::LoopId loop = ir::kNone;  // the step is the variable of this loop, or
  size_t step = kNoVariable;    // this one of the scope
  size_t row = kNoVariable;
};

/// A pred over [steps, rows] that is `step < f(row)`: a row that is inactive at a step stays so at later
/// ones.
struct RowMask {
  ir::Poly steps, rows;
  ir::Nodes nodes;                              // its expression; variable 0 is the step, 1 the row
  std::vector<ir::BufferId> buffers;            // where it is stored, row-major
  std::map<ir::BufferId, ir::BufferId> copies;  // buffers that hold what an input does
};

/// The masks that kernels outside of loops store.
std::vector<RowMask> find_masks(const ir::LoopProgram&);
/// Whether node `id` computes the mask at the step and row.
bool computes_mask(const RowMask&, const ir::Nodes&, ir::NodeId id, const StepAndRow&);

}  // namespace rondo::codegen
