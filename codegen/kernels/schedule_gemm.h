// Which kernels are matrix products, and the tiles, packed layouts and workspace that the gemm form uses for
// them.
#pragma once

#include <algorithm>
#include <vector>

#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// The factors of one accumulator of a gemm kernel: left varies over rows and k, right over k and columns.
struct GemmOperands {
  const ir::Access* left;
  const ir::Access* right;
};

/// Accumulators (ascending indices into kernel.accs, at most 4) with the same reduced dims and the same left
/// operand: the gates of a cell. A register tile holds all of them, so that one broadcast of the left operand
/// serves all.
struct GemmGroup {
  std::vector<uint32_t> accs;
};

/// Register tile of one group: rows x (accumulators of the group x vectors).
struct GemmTile {
  uint32_t rows = 1;
  uint32_t vectors = 1;  // of the target's lanes, for each accumulator
  /// In which the vectors pass, each part over all of k: so few rows that are too many for the sums of all
  /// vectors have one tile, and right operands pass once.
  uint32_t parts = 1;
  /// Tiles at the end that have a row less, where one of the rows that are left would wait for its sums.
  uint32_t lower = 0;
  uint32_t few = 0;  // the most rows that would: of a named number, how many are left is known at run time
};

/// Whether the gemm form fits: the last dim is the columns, all others are rows, and every accumulator is a
/// chain over products of two loads, one that does not vary with the column and one that does not vary with
/// the rows.
bool is_gemm(const ir::Kernel&);
/// Whether the row form fits a kernel that is_gemm: one row, and matrices of a constant size, which are read
/// along their columns or are packed.
bool is_row(const ir::Kernel&);
/// Elements of the right operands of a row in the first cache: 32 KB of f32.
constexpr int64_t kNearRow = 1 << 13;
/// Whether the matrices of a kernel that is_row stay in the first cache from call to call.
bool is_near_row(const ir::Kernel&);
/// Whether a kernel that is_row is so short that its multiply-adds can be straight code, without loops.
bool is_straight(const ir::Kernel&, const Target&);
/// Whether the time of a kernel is that of a chain of operations, so that what is waited for most is to stand
/// first (llvm/order.h): in the row form, of near matrices, and without FMA of those that are straight.
bool is_chain(const ir::Kernel&, const Target&);
/// Whether the row form, which reads matrices where they are, takes wide blocks of columns: where they stay
/// in the first cache, or where rows are so far apart that each block touches nearly as many pages as all
/// would.
bool takes_wide_blocks(const ir::Kernel&);
/// Lanes of a block of columns of the row form, and shorter vectors for what is left: as many as leave
/// registers for operands, or, where matrices come from the second cache in rows that are close, the fewest
/// that keep the multipliers busy, so that loads of the next block are under way while the nodes are
/// computed.
std::vector<unsigned> row_widths(const ir::Kernel&, const Target&);
/// Whether one block of the row form holds all columns: it has all sums before it stores anything.
bool has_all_columns(const ir::Kernel&, const Target&);
/// Whether a group multiplies the row that the kernel overwrites (Schedule::overwritten).
bool reads_overwritten(const ir::Kernel&, const GemmGroup&);
/// What a call computed last, the next one reads last: the terms of such a row from its last vector of
/// elements on. They are added to the sums of all columns vector of columns by vector, each followed by its
/// nodes, so that the other multiply-adds run while the call before computes these elements. 0: there are
/// none, each vector of columns has too few chains for them, or the sums do not fit the registers meanwhile.
int64_t first_late_term(const ir::Kernel&, const Target&);
/// Vectors of each accumulator of packed operands of the row form: the fewest that make four chains of sums,
/// which is what the second cache takes where it gives a vector of 64 bytes a cycle, or eight, which the
/// multipliers do, where there are the registers and much of the matrices is in the first cache. Of shorter
/// vectors, of which a core reads two at a time, twice as many: so panels of 32 and 64 bytes are of one
/// width, and levels of x86-64 in one library share them.
int64_t row_vectors(const ir::Kernel&, const Target&);
/// Whether the partial sums of a group, in so many vectors, grow one after the other: the registers do not
/// hold all, or the matrix comes from beyond the first cache, which gives one run faster than two at a time.
bool sums_in_turn(const ir::Kernel&, const GemmGroup&, size_t vectors, const Target&);
/// Whether right operands have packed copies, made before a loop.
bool is_packed(const ir::Kernel&);
/// The groups of a kernel that is_gemm.
std::vector<GemmGroup> gemm_groups(const ir::Kernel&);
/// The sums of the largest of them.
int64_t most_gates(const ir::Kernel&);
GemmOperands gemm_operands(const ir::Kernel&, uint32_t acc);
/// The operand as an expression of its own: the last node.
ir::Nodes operand_nodes(const ir::Kernel&, uint32_t acc, const ir::Access& operand);

/// How many points several dims have together.
ir::Poly extent_of(const std::vector<ir::Poly>& dims);
/// Rows of the output: all dims but the last one.
ir::Poly row_count(const ir::Kernel&);
/// Those that the last dim but one counts, which tiles pass.
ir::Poly inner_rows(const ir::Kernel&);

/// Lanes of a vector of the kernel's accumulators: a native one, or a shorter one for few columns.
uint32_t gemm_lanes(const ir::Kernel&, const Target&);
/// The tile that all groups of the kernel share: its rows, and vectors such that it spans vectors * lanes
/// columns.
GemmTile gemm_tile(const ir::Kernel&, const Target&);
/// Rows of a tile that has so many vectors in each: as many as the registers hold, beside the operands.
uint32_t rows_that_fit(size_t vectors, const Target&);

/// How columns are cut into blocks, each as wide as a tile: blocks of `width` up to the column `whole`, then
/// one that holds the `rest`. That one is narrower, or a part of a vector wider, so that few lanes idle; in
/// the row form it has a power of two of them. Of a named number of columns all blocks have the same width,
/// and lanes past the end a mask.
struct GemmColumns {
  int64_t width = 0;
  int64_t whole = 0;
  int64_t rest = 0;        // 0: no such block
  int64_t rest_width = 0;  // its columns with those past the end: whole vectors, then at most one shorter one
  int64_t widest() const { return std::max(width, rest_width); }
};
GemmColumns gemm_columns(const ir::Kernel&, const Target&);
/// The lanes of vectors that cover a run of elements: whole ones, then shorter ones.
std::vector<uint32_t> vectors_over(int64_t elements, uint32_t lanes);

/// The columns with those past the end; for a named extent, room for one more block than needed.
ir::Poly padded_columns(const ir::Kernel&, const Target&);
/// Elements of the packed right operands of a group: [column block][k][accumulator][column in block], where
/// columns past the end are zeros.
ir::Poly packed_size(const ir::Kernel&, uint32_t group, const Target&);
/// The terms of even number where these stand before the others in packed copies, so that each half of a sum
/// reads a run: in the row form, of sums in halves. Else 0: terms stand in their order.
int64_t packed_evens(const ir::Kernel&, const GemmGroup&);

/// Whether all right operands can be read along their columns.
bool right_in_rows(const ir::Kernel&);
/// The variable that counts a group's terms, or, of several, those of one run.
size_t innermost_term(const ir::Kernel&, const GemmGroup&);
/// Whether the elements of a group's left operand follow each other along k, as they are read.
bool left_in_runs(const ir::Kernel&, const GemmGroup&);
/// Whether tiles of the gemm form with Schedule::block read a group's left operand where it is.
bool left_in_place(const ir::Kernel&, const GemmGroup&, const Target&);
/// Whether they read one from a copy.
bool packs_left(const ir::Kernel&, const Target&);
/// Rows that pass a panel of right operands whose left ones are read in place: all but of the largest
/// products, as left operands come from far away in any case.
constexpr int64_t kRowsInPlace = 1 << 16;

/// Whether blocks of terms can be packed on the way: they are counted by one variable, or by two, runs of a
/// constant length, as those of some rows of each step, of which blocks have whole ones.
bool has_blocks_of_terms(const ir::Kernel&, const GemmGroup&, const Target&);
/// The terms of such a run; 1 where one variable counts them.
int64_t terms_of_run(const ir::Kernel&, const GemmGroup&);

/// Blocks of the gemm form with Schedule::block, of a kernel whose dims are merged (simplify_kernel.h).
struct GemmBlocks {
  int64_t rows = 0;  // multiple of the tile's rows
  int64_t k = 0;
  bool whole_k = false;  // one block holds every k: sums need no memory between blocks
  /// All of k passes a block of columns before the next one does: their sums stay near meanwhile.
  bool by_columns = false;
};
GemmBlocks gemm_blocks(const ir::Kernel&, const Target&);
/// Terms of a panel of right operands, k x one tile's columns, which is read once for each tile of rows: it
/// is meant for a good quarter of the second-level cache (Schedule::panel_kb).
int64_t most_terms_of_panel(const ir::Kernel&, const Target&);
/// Whether sums may stand in the outputs from the start: each output is nothing but one of these sums.
bool sums_in_outputs(const ir::Kernel&);

/// The regions of Schedule::workspace, in elements: packed blocks of the left and right operands, and the
/// sums between blocks of k, where they need a place.
struct GemmWorkspace {
  ir::Poly left, right, sums;
};
GemmWorkspace gemm_workspace(const ir::Kernel&, const Target&);
/// Elements of the workspace that a kernel with Schedule::block needs.
ir::Poly gemm_scratch_size(const ir::Kernel&, const Target&);

}  // namespace rondo::codegen
