#include <algorithm>
#include <cstdlib>

#include "codegen/kernels/schedule_gemm.h"
#include "codegen/kernels/simplify_kernel.h"

// Blocks of rows and terms for the near caches, and the workspace that they need.
namespace rondo::codegen {

using namespace ir;

namespace {

/// Rows that pass a panel of right operands whose left ones are packed at a time.
constexpr int64_t kPackedRows = 768;
/// Elements of a panel in the first cache: 32 KB of f32.
constexpr int64_t kNear = 1 << 13;
/// Elements of sums that pass between blocks of k for little, as they stay in the second cache: 1 MB of f32
/// where left operands stay there as well, 256 KB where they pass by columns.
constexpr int64_t kNearSums = 1 << 18, kNearColumns = 1 << 16;
/// Elements from one term of a left operand to the next, up to which it is read in place: 1 KB of f32, or 2
/// KB where blocks of columns are wide, so that it is read seldom.
constexpr int64_t kCloseTerms = 1 << 8, kCloseOfWide = 1 << 9;
/// Terms of a run of which blocks have whole ones: of longer ones it would be one.
constexpr int64_t kMostRun = 256;

int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

/// Columns of a panel of right operands: those of a tile, for all accumulators of a group.
int64_t panel_columns(const Kernel& kernel, const Target& target) {
  return most_gates(kernel) * gemm_columns(kernel, target).widest();
}

/// Whether blocks of columns are wide: there are the registers for tiles of four vectors.
bool has_wide_blocks(const Target& target) { return target.vector_registers >= 32; }

bool has_near_sums(const Kernel& kernel) {
  const Poly sums = row_count(kernel) * kernel.dims.back() * Poly(static_cast<int64_t>(kernel.accs.size()));
  return sums.is_constant() && sums.constant() <= kNearSums;
}

/// Partial sums are added when they are complete: their terms are in one block.
int64_t most_partial_terms(const Kernel& kernel) {
  int64_t most = 0;
  for (const Accumulator& acc : kernel.accs)
    if (acc.order != SumOrder::chain) most = std::max(most, acc.dims[0].constant());
  return most;
}

/// Whether the sums of a block of columns stay near while blocks of k pass. Left operands pass once for each
/// block of columns then, so none may need a copy. Several sums at a point would go to their outputs through
/// the workspace, which takes what this gains and more.
bool has_near_columns(const Kernel& kernel, const Target& target) {
  const Poly sums = inner_rows(kernel) * Poly(gemm_columns(kernel, target).widest());
  return has_wide_blocks(target) && kernel.accs.size() == 1 && !packs_left(kernel, target) &&
         sums.is_constant() && sums.constant() <= kNearColumns;
}

}  // namespace

bool left_in_place(const Kernel& kernel, const GemmGroup& group, const Target& target) {
  if (left_in_runs(kernel, group)) return true;
  // Or the rows of a tile are in a line, and lines that follow each other along k are close.
  const Access& left = *gemm_operands(kernel, group.accs[0]).left;
  const size_t row = kernel.dims.size() - 2;
  if (kernel.dims.size() < 2 || left.row != kNone || stride_of(left, row) != Poly(1)) return false;
  const Poly next = stride_of(left, innermost_term(kernel, group));
  return next.is_constant() &&
         std::abs(next.constant()) <= (has_wide_blocks(target) ? kCloseOfWide : kCloseTerms);
}

bool has_blocks_of_terms(const Kernel& kernel, const GemmGroup& group, const Target& target) {
  const Accumulator& acc = kernel.accs[group.accs[0]];
  if (acc.dims.size() == 1) return true;
  return gemm_groups(kernel).size() == 1 && acc.dims.size() == 2 && acc.order == SumOrder::chain &&
         acc.dims[1].is_constant() && acc.dims[1].constant() > 0 && acc.dims[1].constant() <= kMostRun &&
         left_in_place(kernel, group, target);
}

int64_t terms_of_run(const Kernel& kernel, const GemmGroup& group) {
  const std::vector<Poly>& k = kernel.accs[group.accs[0]].dims;
  return k.size() == 2 && k[1].is_constant() ? std::max<int64_t>(k[1].constant(), 1) : 1;
}

bool packs_left(const Kernel& kernel, const Target& target) {
  return std::ranges::any_of(gemm_groups(kernel),
                             [&](const GemmGroup& g) { return !left_in_place(kernel, g, target); });
}

int64_t most_terms_of_panel(const Kernel& kernel, const Target& target) {
  return (kernel.schedule.panel_kb << 10) /
         (panel_columns(kernel, target) * static_cast<int64_t>(size_of(kernel.accs[0].dtype)));
}

GemmBlocks gemm_blocks(const Kernel& kernel, const Target& target) {
  // The left operands pass once for each panel of right ones, and may come from further out.
  const int64_t most_k = most_terms_of_panel(kernel, target);
  GemmBlocks blocks{0, most_k, false};
  const std::vector<GemmGroup> groups = gemm_groups(kernel);
  const std::vector<Poly>& k = kernel.accs[groups[0].accs[0]].dims;
  if (groups.size() == 1 && !k.empty()) {
    const Poly all = extent_of(k);
    const int64_t terms =
        all.is_constant() ? std::max<int64_t>(all.constant(), 1) : kernel.schedule.most_terms;
    if (terms > 0 && terms <= 2 * most_k) blocks = {0, terms, true};
  }
  blocks.by_columns = !blocks.whole_k && has_near_columns(kernel, target);
  // Where sums pass between blocks for little, the panel stays in the first cache.
  const bool near = blocks.by_columns || (!blocks.whole_k && has_near_sums(kernel));
  if (near && kernel.schedule.panel_kb == Schedule().panel_kb)
    blocks.k = std::max<int64_t>(kNear / panel_columns(kernel, target), 1);
  blocks.k = std::max(blocks.k, most_partial_terms(kernel));
  if (const int64_t run = terms_of_run(kernel, groups[0]); !blocks.whole_k)
    blocks.k = std::max(blocks.k / run, int64_t{1}) * run;
  const int64_t rows = gemm_tile(kernel, target).rows;
  const Poly all = inner_rows(kernel);
  int64_t most = packs_left(kernel, target) ? kPackedRows : kRowsInPlace;
  if (all.is_constant()) most = std::clamp<int64_t>(all.constant(), 1, most);
  blocks.rows = divide_up(most, rows) * rows;
  return blocks;
}

bool sums_in_outputs(const Kernel& kernel) {
  if (!kernel.dims.back().is_constant()) return false;
  auto strides = [&](const Store& s) {
    std::vector<Poly> all;
    for (size_t d = 0; d < kernel.dims.size(); ++d) all.push_back(stride_of(s.access, d));
    return all;
  };
  std::vector<uint32_t> stored;
  for (const Store& s : kernel.stores) {
    const Node& value = kernel.nodes[s.value];
    if (value.op != ScalarOp::acc || s.access.row != kNone || strides(s) != strides(kernel.stores[0]))
      return false;
    stored.push_back(value.acc);
  }
  std::ranges::sort(stored);
  return stored.size() == kernel.accs.size() && std::ranges::adjacent_find(stored) == stored.end() &&
         stride_of(kernel.stores[0].access, kernel.dims.size() - 1) == Poly(1);
}

GemmWorkspace gemm_workspace(const Kernel& kernel, const Target& target) {
  const GemmBlocks blocks = gemm_blocks(kernel, target);
  // Each region starts on a cache line.
  auto rounded = [](int64_t elements) { return Poly(divide_up(elements, 64) * 64); };
  GemmWorkspace workspace{0, rounded(blocks.k * panel_columns(kernel, target)), 0};
  if (packs_left(kernel, target)) workspace.left = rounded(blocks.rows * blocks.k);
  if (blocks.by_columns)
    workspace.sums = rounded(blocks.rows * gemm_columns(kernel, target).widest());
  else if (!blocks.whole_k && !sums_in_outputs(kernel))
    workspace.sums =
        padded_columns(kernel, target) * row_count(kernel) * Poly(static_cast<int64_t>(kernel.accs.size()));
  return workspace;
}

Poly gemm_scratch_size(const Kernel& kernel, const Target& target) {
  GemmWorkspace w = gemm_workspace(merge_dims(kernel, true), target);
  return w.left + w.right + w.sums;
}

}  // namespace rondo::codegen
