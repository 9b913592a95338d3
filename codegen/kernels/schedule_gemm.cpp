#include "codegen/kernels/schedule_gemm.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <optional>

#include "codegen/kernels/simplify_kernel.h"
#include "support/error.h"

namespace rondo::codegen {

using namespace ir;

namespace {

constexpr size_t kMaxGroup = 4;
/// Elements of a panel that a tile may pass in halves: 128 KB of f32.
constexpr int64_t kShortPanel = 1 << 15;
/// Sums with which a core's multipliers are busy: two multiply-adds a cycle, of four cycles each. With a few
/// more, they wait for nothing else either.
constexpr int64_t kBusy = 8, kAlwaysBusy = 12;
/// The quotient of times from which narrower tiles are taken: two percent.
constexpr double kClearly = 0.98;

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
  if (acc.kind != AccKind::sum || acc.order == SumOrder::lanes || !is_float(acc.dtype)) return std::nullopt;
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

/// A constant number of columns in blocks of so many vectors.
GemmColumns tile_columns(const Kernel& kernel, const Target& target, int64_t vectors) {
  const int64_t lanes = gemm_lanes(kernel, target), columns = kernel.dims.back().constant();
  const ColumnVectors all = column_vectors(kernel, target);
  int64_t last = all.whole % vectors;
  // A shorter vector alone would take a load for each multiply-add.
  if (last == 0 && all.whole > 0 && columns % lanes != 0) last = vectors;
  GemmColumns blocks{vectors * lanes};
  blocks.whole = (all.whole - last) * lanes;
  blocks.rest = columns - blocks.whole;
  blocks.rest_width = last * lanes + all.shorter;
  return blocks;
}

/// Vectors of a tile, of all accumulators. Four: with 16 registers, tiles of three rows then load less for a
/// multiply-add than two vectors of six rows do, and left operands pass half as often. Two where a product
/// takes a register of its own, and of so few rows that one such tile has all of them.
int64_t most_sums(const Kernel& kernel, const Target& target) {
  if (target.vector_registers >= 32) return 4;
  const Poly rows = row_count(kernel);
  const bool one_tile = rows.is_constant() && rows.constant() > rows_that_fit(4, target) &&
                        rows.constant() <= rows_that_fit(2, target);
  return target.fma && !one_tile ? 4 : 2;
}

/// The vectors of each accumulator, of so many of all: blocks of one width, as far as it goes.
int64_t most_vectors(const Kernel& kernel, const Target& target, int64_t sums) {
  const int64_t most = std::max<int64_t>(1, sums / most_gates(kernel));
  if (!kernel.dims.back().is_constant()) return most;
  const int64_t whole = std::max<int64_t>(column_vectors(kernel, target).whole, 1);
  return divide_up(whole, divide_up(whole, most));
}

/// The time of a term of a tile, in quarters of a multiply-add's: of few sums, it waits for the last term's.
int64_t time_of(int64_t sums) {
  return std::max(4 * sums + std::max<int64_t>(kAlwaysBusy - sums, 0), 4 * kBusy);
}

/// That of a row of all columns, in tiles of so many vectors of each accumulator.
double time_of_row(const Kernel& kernel, const Target& target, int64_t vectors) {
  const GemmColumns cut = tile_columns(kernel, target, vectors);
  auto vectors_in = [&](int64_t width) {
    return most_gates(kernel) * static_cast<int64_t>(vectors_over(width, gemm_lanes(kernel, target)).size());
  };
  auto rows_of = [&](int64_t all) { return rows_that_fit(static_cast<size_t>(all), target); };
  const int64_t all = vectors_in(cut.width), rows = rows_of(all);
  int64_t time = cut.whole / cut.width * time_of(rows * all);
  if (cut.rest > 0) {
    const int64_t rest = vectors_in(cut.rest_width), parts = divide_up(rows, rows_of(rest));
    for (int64_t part = 0; part < parts; ++part)
      time += time_of((rows * (part + 1) / parts - rows * part / parts) * rest);
  }
  return static_cast<double>(time) / static_cast<double>(rows);
}

/// The most vectors, or, with few registers, fewer that cut the columns clearly better.
int64_t fastest_vectors(const Kernel& kernel, const Target& target) {
  const int64_t most = most_sums(kernel, target);
  int64_t fastest = most_vectors(kernel, target, most);
  for (int64_t sums = most - 1; sums >= 2 && target.vector_registers < 32; --sums) {
    const int64_t fewer = most_vectors(kernel, target, sums);
    if (time_of_row(kernel, target, fewer) < kClearly * time_of_row(kernel, target, fastest)) fastest = fewer;
  }
  return fastest;
}

/// Vectors of each accumulator of a tile.
int64_t vectors_of_tile(const Kernel& kernel, const Target& target) {
  if (kernel.schedule.rows > 1) return kernel.schedule.vectors;
  const bool row = kernel.schedule.form == Schedule::Form::row;
  if (row) {
    const int64_t most = row_vectors(kernel, target);
    if (!kernel.dims.back().is_constant()) return most;
    const int64_t all = divide_up(kernel.dims.back().constant(), gemm_lanes(kernel, target));
    return std::min(most, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(all))));
  }
  return kernel.dims.back().is_constant() ? fastest_vectors(kernel, target)
                                          : most_vectors(kernel, target, most_sums(kernel, target));
}

/// Whether a panel is so short that one pass over each half of it is faster than two over all.
bool has_short_panels(const Kernel& kernel, int64_t columns) {
  return std::ranges::all_of(kernel.accs, [&](const Accumulator& acc) {
    const Poly terms = extent_of(acc.dims);
    return terms.is_constant() && terms.constant() * columns <= kShortPanel;
  });
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

Poly inner_rows(const Kernel& kernel) {
  return kernel.dims.size() > 1 ? kernel.dims[kernel.dims.size() - 2] : Poly(1);
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
      const Accumulator& first = kernel.accs[g.accs[0]];
      return g.accs.size() < kMaxGroup && first.dims == kernel.accs[a].dims &&
             first.order == kernel.accs[a].order && left(g.accs[0]) == left(a);
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
  // Where there are many registers, complete quarters of sums wait in them for the others.
  const bool quarters = std::ranges::any_of(
      kernel.accs, [](const Accumulator& acc) { return acc.order == SumOrder::quarters; });
  const size_t held = quarters && target.vector_registers >= 32 ? 2 * vectors : vectors;
  GemmTile tile{rows_that_fit(held, target), static_cast<uint32_t>(vectors_of_tile(kernel, target))};
  tile.few = static_cast<uint32_t>((kBusy - 1) / static_cast<int64_t>(vectors));
  if (Poly rows = row_count(kernel); rows.is_constant()) {
    const int64_t count = std::max<int64_t>(rows.constant(), 1);
    const uint32_t in_halves = rows_that_fit((vectors + 1) / 2, target);
    if (count > tile.rows && count <= in_halves && has_short_panels(kernel, run))
      tile = {in_halves, tile.vectors, 2};
    // Of one height, as far as it goes.
    tile.rows = static_cast<uint32_t>(divide_up(count, divide_up(count, tile.rows)));
    const int64_t left = count % tile.rows;
    if (left > 0 && left <= tile.few && count <= kRowsInPlace && inner_rows(kernel) == rows &&
        !packs_left(kernel, target))
      tile.lower = static_cast<uint32_t>(tile.rows - left);
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
    if (blocks.rest > 0)
      blocks.rest_width = std::max<int64_t>(std::bit_ceil(static_cast<uint64_t>(blocks.rest)), 4);
    return blocks;
  }
  return tile_columns(kernel, target, vectors);
}

std::vector<uint32_t> vectors_over(int64_t elements, uint32_t lanes) {
  std::vector<uint32_t> all(static_cast<size_t>(elements / lanes), lanes);
  for (auto left = static_cast<uint32_t>(elements % lanes); left > 0; left -= all.back())
    all.push_back(std::bit_floor(left));
  return all;
}

Poly padded_columns(const Kernel& kernel, const Target& target) {
  const GemmColumns blocks = gemm_columns(kernel, target);
  const Poly& columns = kernel.dims.back();
  return columns.is_constant() ? Poly(blocks.whole + blocks.rest_width) : columns + Poly(blocks.width - 1);
}

Poly packed_size(const Kernel& kernel, uint32_t group, const Target& target) {
  GemmGroup g = gemm_groups(kernel).at(group);
  return extent_of(kernel.accs[g.accs[0]].dims) * padded_columns(kernel, target) *
         Poly(static_cast<int64_t>(g.accs.size()));
}

size_t innermost_term(const Kernel& kernel, const GemmGroup& group) {
  return kernel.dims.size() + kernel.accs[group.accs[0]].dims.size() - 1;
}

bool left_in_runs(const Kernel& kernel, const GemmGroup& group) {
  return stride_of(*gemm_operands(kernel, group.accs[0]).left, innermost_term(kernel, group)) == Poly(1);
}

}  // namespace rondo::codegen
