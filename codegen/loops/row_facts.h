// What the loop program needs, and what is zero, where rows of a batch are inactive.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "codegen/loops/row_mask.h"

namespace rondo::codegen {

/// Steps and rows (t, b) are *live* if some row from b on is active at t. So live rows are the first ones of
/// a step, no more at later steps, and the others are inactive for sure.
///
/// A buffer with `Rows` holds one run of elements for each step and row, or for each row: element
/// t * rows * stride + b * stride + r, 0 <= r < stride. Its *dead* elements are those that kernels write for
/// steps and rows that are not live.
struct Rows {
  ir::Poly stride;
  ir::LoopId loop = ir::kNone;    // of rows alone: the loop in each step of which all of it is written first
  int written = 0;                // the run of step t + written is what step t writes
  bool zero = true;               // the dead elements are zeros
  bool needed = false;            // something depends on what the dead elements are
  ir::BufferId kept = ir::kNone;  // of rows alone: the buffer whose elements the dead ones are
};

/// A kernel, and where its steps and rows are.
struct Site {
  std::shared_ptr<ir::Kernel> kernel;
  std::vector<const ir::Loop*> loops;
  size_t statement = 0;                       // of the program's, this one or around it
  std::optional<StepAndRow> at;               // among the kernel's own variables, or
  std::vector<std::optional<StepAndRow>> in;  // those of each accumulator
  bool splits = false;                        // runs points that are not live apart from the live ones
  std::vector<char> skips;                    // per accumulator: leaves out terms that are not live
};

class RowFacts {
 public:
  /// Kernels before statement `first` run as they are.
  RowFacts(const ir::LoopProgram&, const RowMask&, size_t first);

  const std::vector<Site>& sites() const { return sites_; }
  /// What a site that splits does at points that are not live: the stores that are needed, of what is left.
  ir::Kernel at_dead_points(const Site&) const;

 private:
  using Visit = std::function<void(const ir::Access&, uint32_t acc, bool is_store)>;

  void collect(const std::vector<ir::Stmt>&, std::vector<const ir::Loop*> around, size_t statement);
  void find_rows();
  bool place(Site&);
  bool note_rows(const Site&);
  bool written_first(ir::BufferId, ir::LoopId) const;
  void find_zeros();
  void decide_splits(size_t first);
  void find_kept();
  bool only_put_back(ir::BufferId from, ir::BufferId to, ir::LoopId) const;
  bool can_list(const Site&, uint32_t acc) const;
  void find_needs();
  void need_of_live(const Site&);
  bool need_of_dead(const Site&);

  static void each_access(const Site&, const Visit&);
  static std::vector<ir::Poly> extents(const Site&, uint32_t acc);
  static const std::optional<StepAndRow>& where(const Site&, uint32_t acc);
  std::optional<StepAndRow> matching(const Site&, const ir::Access&, uint32_t acc, const Rows&,
                                     size_t first) const;
  /// The run that an access at step t and row b is in: that of step t + the result.
  std::optional<int> shift(const Site&, const ir::Access&, uint32_t acc, const StepAndRow&,
                           const Rows&) const;
  std::optional<int> shift(const Site&, const ir::Access&, uint32_t acc) const;
  ir::Kernel folded(const Site&, bool absorb) const;
  bool is_mask(ir::BufferId) const;

  const ir::LoopProgram& program_;
  const RowMask& mask_;
  std::vector<Site> sites_;
  std::map<ir::BufferId, Rows> rows_;
};

}  // namespace rondo::codegen
