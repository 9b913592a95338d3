#include "codegen/schedule_gemm.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <optional>

#include "codegen/simplify_kernel.h"
#include "support/error.h"

namespace rondo::codegen {

using namespace ir;

namespace {

constexpr size_t kMaxGroup = 4;
/// Rows that pass a panel of right operands: whose left operands are packed at a time, or read in place.
constexpr int64_t kPackedRows = 768, kRowsInPlace = 1536;
/// Elements of a panel in the first cache: 32 KB of f32.
constexpr int64_t kNear = 1 << 13;
/// Elements of a panel that a tile may pass in halves: 128 KB of f32.
constexpr int64_t kShortPanel = 1 << 15;
/// Elements of sums that pass between blocks of k for little, as they stay in the second cache: 1 MB of f32.
constexpr int64_t kNearSums = 1 << 18;
/// Elements from one term of a left operand to the next, up to which it is read in place: 1 KB of f32.
constexpr int64_t kCloseTerms = 1 << 8;

/// Whether a load, or the row that it goes by, moves with one of the variables first..end-1.
bool varies(const Nodes& nodes, const Access& a, size_t first, size_t end) {
  for (size_t i = first; i < end; ++i)
    if (!stride_of(a, i).is_zero()) return true;
  return a.row != kNone && varies(nodes, nodes[a.row].access, first, end);
}

/// A load of an element that no more than a number from a list chooses.
bool is_operand(const Nodes& nodes, const Node& n) {
  if (n.op != ScalarOp::load) return false;
  return n.access.row == kNone ||
         (nodes[n.access.row].op == ScalarOp::load && nodes[n.access.row].access.row == kNone);
}

std::optional<GemmOperands> operands(const Kernel& kernel, const Accumulator& acc) {
  if (acc.kind != AccKind::sum || acc.lanes || !is_float(acc.dtype)) return std::nullopt;
  const Node& product = acc.nodes[acc.value];
  if (product.op != ScalarOp::mul || product.dtype != acc.dtype) return std::nullopt;
  const Node* factors[2] = {&acc.nodes[product.args[0]], &acc.nodes[product.args[1]]};
  for (const Node* f : factors)
    if (!is_operand(acc.nodes, *f) || f->dtype != acc.dtype) return std::nullopt;
  size_t rank = kernel.dims.size(), column = rank - 1;
  for (int swap : {0, 1}) {
    const Access& left = factors[swap]->access;
    const Access& right = factors[1 - swap]->access;
    if (!varies(acc.nodes, left, column, rank) && !varies(acc.nodes, right, 0, column))
      return GemmOperands{&left, &right};
  }
  return std::nullopt;
}

/// The columns with those past the end; for a named extent, room for one more block than needed.
Poly padded_columns(const Kernel& kernel, const Target& target) {
  const GemmColumns blocks = gemm_columns(kernel, target);
  const Poly& columns = kernel.dims.back();
  return columns.is_constant() ? Poly(blocks.whole + blocks.rest_width) : columns + Poly(blocks.width - 1);
}

/// Columns of a panel of right operands: those of a tile, for all accumulators of a group.
int64_t panel_columns(const Kernel& kernel, const Target& target) {
  return most_gates(kernel) * gemm_columns(kernel, target).widest();
}

int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

/// Whole vectors of columns, and the lanes of a shorter one after them. A vector that is more than half full
/// counts as whole.
struct ColumnVectors {
  int64_t whole = 0, shorter = 0;
};
ColumnVectors column_vectors(const Kernel& kernel, const Target& target) {
  const int64_t lanes = gemm_lanes(kernel, target), columns = kernel.dims.back().constant();
  const auto shorter = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(columns % lanes)));
  if (columns % lanes == 0) return {columns / lanes, 0};
  if (shorter == lanes) return {columns / lanes + 1, 0};
  return {columns / lanes, shorter};
}

/// Vectors of each accumulator of a tile. Four of all accumulators where there are 32 registers, two where
/// there are 16: the fewest loads for each multiply-add.
int64_t vectors_of_tile(const Kernel& kernel, const Target& target) {
  if (kernel.schedule.rows > 1) return kernel.schedule.vectors;
  const bool row = kernel.schedule.form == Schedule::Form::row;
  int64_t most = std::max<int64_t>(1, (target.vector_registers >= 32 ? 4 : 2) / most_gates(kernel));
  if (row) most = row_vectors(kernel, target);
  if (!kernel.dims.back().is_constant()) return most;
  if (row) {
    const int64_t lanes = gemm_lanes(kernel, target), columns = kernel.dims.back().constant();
    auto padded = [&](int64_t vectors) { return divide_up(columns, vectors * lanes) * vectors * lanes; };
    while (most > 1 && padded(most) * 10 > padded(most / 2) * 11) most /= 2;
    return most;
  }
  // Blocks of one width, as far as it goes.
  const int64_t whole = std::max<int64_t>(column_vectors(kernel, target).whole, 1);
  return divide_up(whole, divide_up(whole, most));
}

/// Whether a panel is so short that one pass over each half of it is faster than two over all.
bool has_short_panels(const Kernel& kernel, int64_t columns) {
  return std::ranges::all_of(kernel.accs, [&](const Accumulator& acc) {
    const Poly terms = extent_of(acc.dims);
    return terms.is_constant() && terms.constant() * columns <= kShortPanel;
  });
}

bool packs_left(const Kernel& kernel) {
  return std::ranges::any_of(gemm_groups(kernel),
                             [&](const GemmGroup& g) { return !left_in_place(kernel, g); });
}

bool has_near_sums(const Kernel& kernel) {
  const Poly sums = row_count(kernel) * kernel.dims.back() * Poly(static_cast<int64_t>(kernel.accs.size()));
  return sums.is_constant() && sums.constant() <= kNearSums;
}

}  // namespace

int64_t most_gates(const Kernel& kernel) {
  size_t gates = 1;
  for (const GemmGroup& g : gemm_groups(kernel)) gates = std::max(gates, g.accs.size());
  return static_cast<int64_t>(gates);
}

Poly extent_of(const std::vector<Poly>& dims) {
  Poly points = 1;
  for (const Poly& d : dims) points = points * d;
  return points;
}

Poly row_count(const Kernel& kernel) {
  Poly rows = 1;
  for (size_t i = 0; i + 1 < kernel.dims.size(); ++i) rows = rows * kernel.dims[i];
  return rows;
}

bool is_gemm(const Kernel& kernel) {
  if (kernel.dims.empty() || kernel.accs.empty()) return false;
  if (std::ranges::any_of(kernel.stores, [](const Store& s) { return s.ordered(); })) return false;
  return std::ranges::all_of(kernel.accs, [&](const Accumulator& acc) {
    return acc.dtype == kernel.accs[0].dtype && operands(kernel, acc).has_value();
  });
}

bool right_in_rows(const Kernel& kernel) {
  for (uint32_t a = 0; a < kernel.accs.size(); ++a)
    if (stride_of(*gemm_operands(kernel, a).right, kernel.dims.size() - 1) != Poly(1)) return false;
  return true;
}

bool is_packed(const Kernel& kernel) {
  return std::ranges::any_of(kernel.schedule.packed, [](BufferId id) { return id != kNone; });
}

GemmOperands gemm_operands(const Kernel& kernel, uint32_t acc) {
  auto found = operands(kernel, kernel.accs.at(acc));
  RONDO_CHECK(found, "not a gemm kernel: " + kernel.name);
  return *found;
}

Nodes operand_nodes(const Kernel& kernel, uint32_t acc, const Access& operand) {
  Nodes nodes;
  Node load;
  load.op = ScalarOp::load;
  load.dtype = kernel.accs[acc].dtype;
  load.access = operand;
  if (operand.row != kNone) {
    nodes.push_back(kernel.accs[acc].nodes[operand.row]);
    load.access.row = 0;
  }
  nodes.push_back(std::move(load));
  return nodes;
}

std::vector<GemmGroup> gemm_groups(const Kernel& kernel) {
  std::vector<GemmGroup> groups;
  for (uint32_t a = 0; a < kernel.accs.size(); ++a) {
    auto left = [&](uint32_t acc) { return operand_nodes(kernel, acc, *gemm_operands(kernel, acc).left); };
    auto same = std::ranges::find_if(groups, [&](const GemmGroup& g) {
      return g.accs.size() < kMaxGroup && kernel.accs[g.accs[0]].dims == kernel.accs[a].dims &&
             left(g.accs[0]) == left(a);
    });
    if (same == groups.end())
      groups.push_back({{a}});
    else
      same->accs.push_back(a);
  }
  return groups;
}

uint32_t gemm_lanes(const Kernel& kernel, const Target& target) {
  auto lanes = static_cast<uint64_t>(target.vector_bytes) / size_of(kernel.accs[0].dtype);
  const Poly& columns = kernel.dims.back();
  // Few columns take a shorter vector rather than a mask.
  if (columns.is_constant())
    lanes = std::min(lanes, std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(columns.constant(), 2))));
  return static_cast<uint32_t>(lanes);
}

uint32_t rows_that_fit(size_t vectors, const Target& target) {
  uint32_t rows = 1;
  const auto registers = static_cast<size_t>(target.vector_registers);
  while (rows < 12 && (rows + 1) * vectors + std::min<size_t>(rows + 1, vectors) + 1 <= registers) ++rows;
  return rows;
}

GemmTile gemm_tile(const Kernel& kernel, const Target& target) {
  if (kernel.schedule.rows > 1) return {kernel.schedule.rows, kernel.schedule.vectors};
  const GemmColumns blocks = gemm_columns(kernel, target);
  const int64_t run = most_gates(kernel) * (blocks.whole > 0 ? blocks.width : blocks.widest());
  const size_t vectors = vectors_over(run, gemm_lanes(kernel, target)).size();
  GemmTile tile{rows_that_fit(vectors, target), static_cast<uint32_t>(vectors_of_tile(kernel, target))};
  if (Poly rows = row_count(kernel); rows.is_constant()) {
    const int64_t count = std::max<int64_t>(rows.constant(), 1);
    const uint32_t in_halves = rows_that_fit((vectors + 1) / 2, target);
    if (count > tile.rows && count <= in_halves && has_short_panels(kernel, run))
      tile = {in_halves, tile.vectors, 2};
    // Of one height, as far as it goes.
    tile.rows = static_cast<uint32_t>(divide_up(count, divide_up(count, tile.rows)));
  }
  return tile;
}

GemmColumns gemm_columns(const Kernel& kernel, const Target& target) {
  const int64_t lanes = gemm_lanes(kernel, target), vectors = vectors_of_tile(kernel, target);
  GemmColumns blocks{vectors * lanes};
  if (!kernel.dims.back().is_constant()) return blocks;
  const int64_t columns = kernel.dims.back().constant();
  // The row form waits for its sums, not for the multipliers.
  if (kernel.schedule.form == Schedule::Form::row) {
    blocks.rest = columns % blocks.width;
    blocks.whole = columns - blocks.rest;
    blocks.rest_width = blocks.rest > 0 ? blocks.width : 0;
    return blocks;
  }
  const ColumnVectors all = column_vectors(kernel, target);
  int64_t last = all.whole % vectors;
  // A shorter vector alone would take a load for each multiply-add.
  if (last == 0 && all.whole > 0 && columns % lanes != 0) last = vectors;
  blocks.whole = (all.whole - last) * lanes;
  blocks.rest = columns - blocks.whole;
  blocks.rest_width = last * lanes + all.shorter;
  return blocks;
}

std::vector<uint32_t> vectors_over(int64_t elements, uint32_t lanes) {
  std::vector<uint32_t> all(static_cast<size_t>(elements / lanes), lanes);
  for (auto left = static_cast<uint32_t>(elements % lanes); left > 0; left -= all.back())
    all.push_back(std::bit_floor(left));
  return all;
}

Poly packed_size(const Kernel& kernel, uint32_t group, const Target& target) {
  GemmGroup g = gemm_groups(kernel).at(group);
  return extent_of(kernel.accs[g.accs[0]].dims) * padded_columns(kernel, target) *
         Poly(static_cast<int64_t>(g.accs.size()));
}

bool left_in_runs(const Kernel& kernel, const GemmGroup& group) {
  return stride_of(*gemm_operands(kernel, group.accs[0]).left, kernel.dims.size()) == Poly(1);
}

bool left_in_place(const Kernel& kernel, const GemmGroup& group) {
  if (left_in_runs(kernel, group)) return true;
  // Or the rows of a tile are in a line, and lines that follow each other along k are close.
  const Access& left = *gemm_operands(kernel, group.accs[0]).left;
  const size_t row = kernel.dims.size() - 2;
  if (kernel.dims.size() < 2 || left.row != kNone || stride_of(left, row) != Poly(1)) return false;
  const Poly next = stride_of(left, row + 2);
  return next.is_constant() && std::abs(next.constant()) <= kCloseTerms;
}

GemmBlocks gemm_blocks(const Kernel& kernel, const Target& target) {
  // A panel of right operands, k x one tile's columns, is read once for each tile of rows: it is meant for a
  // good quarter of the second-level cache (Schedule::panel_kb). The left operands pass once for each panel
  // of right ones, and may come from further out.
  const int64_t most_k =
      (kernel.schedule.panel_kb << 10) /
      (panel_columns(kernel, target) * static_cast<int64_t>(size_of(kernel.accs[0].dtype)));
  GemmBlocks blocks{0, most_k, false};
  const std::vector<GemmGroup> groups = gemm_groups(kernel);
  const std::vector<Poly>& k = kernel.accs[groups[0].accs[0]].dims;
  if (groups.size() == 1 && k.size() == 1) {
    const int64_t terms =
        k[0].is_constant() ? std::max<int64_t>(k[0].constant(), 1) : kernel.schedule.most_terms;
    if (terms > 0 && terms <= 2 * most_k) blocks = {0, terms, true};
  }
  // Where sums pass between blocks for little, the panel stays in the first cache.
  if (!blocks.whole_k && has_near_sums(kernel) && kernel.schedule.panel_kb == Schedule().panel_kb)
    blocks.k = std::max<int64_t>(kNear / panel_columns(kernel, target), 1);
  const int64_t rows = gemm_tile(kernel, target).rows;
  const Poly all = kernel.dims.size() > 1 ? kernel.dims[kernel.dims.size() - 2] : Poly(1);
  int64_t most = packs_left(kernel) ? kPackedRows : kRowsInPlace;
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
  if (packs_left(kernel)) workspace.left = rounded(blocks.rows * blocks.k);
  if (!blocks.whole_k && !sums_in_outputs(kernel))
    workspace.sums =
        padded_columns(kernel, target) * row_count(kernel) * Poly(static_cast<int64_t>(kernel.accs.size()));
  return workspace;
}

Poly gemm_scratch_size(const Kernel& kernel, const Target& target) {
  GemmWorkspace w = gemm_workspace(merge_dims(kernel, true), target);
  return w.left + w.right + w.sums;
}

}  // namespace rondo::codegen
