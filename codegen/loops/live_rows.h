// How many rows of a batch are live at each step, and lists of them, computed by the program itself.
#pragma once

#include <map>

#include "codegen/loops/program_builder.h"
#include "codegen/loops/row_mask.h"

namespace rondo::codegen {

/// See RowFacts for what is live; all others are dead. Makes counts and lists as they are asked for.
class LiveRows {
 public:
  enum class Of : uint8_t { run, step, row };  // step * rows + row, or one of them

  LiveRows(ProgramBuilder& p, const RowMask& mask) : p_(p), mask_(mask) {}

  const RowMask& mask() const { return mask_; }
  /// Live rows at the loop's step.
  ir::Poly count_in(ir::LoopId);
  /// Live, or dead, steps and rows of all.
  ir::Poly count(bool live);
  /// An i32 for each of them, steps ascending, rows ascending.
  ir::BufferId list(Of, bool live);
  /// What computes all that was asked for.
  std::vector<ir::Stmt> statements();

 private:
  ir::BufferId counts();
  ir::BufferId total();
  ir::Poly named(const std::string& name, ir::BufferId, ir::LoopId, const ir::Poly& most);
  ir::Stmt count_kernel();
  ir::Stmt list_kernel(Of, bool live, ir::BufferId list, ir::LoopId);
  ir::Stmt total_kernel(bool start, ir::LoopId);

  ProgramBuilder& p_;
  const RowMask& mask_;
  ir::BufferId counts_ = ir::kNone, total_ = ir::kNone;
  std::map<std::pair<Of, bool>, ir::BufferId> lists_;
};

}  // namespace rondo::codegen
