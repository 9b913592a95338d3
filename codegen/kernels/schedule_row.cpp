// What the row form takes: see schedule_gemm.h.
#include <algorithm>
#include <bit>
#include <cstdlib>

#include "codegen/kernels/schedule_gemm.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Elements from one row of a matrix to the next, beyond which they are far apart: half a page of f32.
constexpr int64_t kCloseRows = 1 << 9;
/// Chains of sums that keep the multipliers busy.
constexpr size_t kFewChains = 4;
/// The most terms of partial sums that grow side by side where there are few registers: of more, in blocks
/// that have room for all, the elements of the row are loaded too often.
constexpr int64_t kFewTerms = 32;
/// Vectors of multiply-adds of straight code: of more it is long, and no faster.
constexpr int64_t kStraight = 160;

/// Elements of the matrices of a kernel that is_row.
int64_t row_elements(const Kernel& kernel) {
  Poly terms = 0;
  for (const Accumulator& acc : kernel.accs) terms = terms + extent_of(acc.dims);
  return (terms * kernel.dims.back()).constant();
}

bool has_many_registers(const Target& target) { return target.vector_registers >= 32; }

/// Vectors of sums that leave registers for operands.
size_t most_row_sums(const Target& target) { return has_many_registers(target) ? 16 : 12; }

/// The chains of sums of a group in one vector of columns.
size_t chains_of(const Kernel& kernel, const GemmGroup& group) {
  return group.accs.size() * static_cast<size_t>(partial_sums(kernel.accs[group.accs[0]].order));
}

/// Lanes for so many columns: each block is a chain of sums more to wait for, so that a mask over a quarter
/// of the lanes costs less.
unsigned fitting(unsigned columns) {
  const unsigned above = std::bit_ceil(columns);
  return 4 * columns >= 3 * above ? above : above / 2;
}

}  // namespace

bool is_row(const Kernel& kernel) {
  const bool constant = std::ranges::all_of(
      kernel.accs, [](const Accumulator& acc) { return extent_of(acc.dims).is_constant(); });
  return row_count(kernel) == Poly(1) && kernel.dims.back().is_constant() && constant;
}

bool is_near_row(const Kernel& kernel) { return row_elements(kernel) <= kNearRow; }

bool is_straight(const Kernel& kernel, const Target& target) {
  const auto lanes = target.vector_bytes / static_cast<int64_t>(size_of(kernel.accs[0].dtype));
  return !is_packed(kernel) && row_elements(kernel) <= kStraight * lanes;
}

bool is_chain(const Kernel& kernel, const Target& target) {
  const bool row = kernel.schedule.form == Schedule::Form::row && is_row(kernel);
  return row && is_near_row(kernel) && (target.fma || is_straight(kernel, target));
}

bool takes_wide_blocks(const Kernel& kernel) {
  if (is_near_row(kernel)) return true;
  for (uint32_t a = 0; a < kernel.accs.size(); ++a) {
    const size_t k = kernel.dims.size() + kernel.accs[a].dims.size() - 1;
    const Poly stride = stride_of(*gemm_operands(kernel, a).right, k);
    if (!stride.is_constant() || std::abs(stride.constant()) > kCloseRows) return true;
  }
  return false;
}

int64_t row_vectors(const Kernel& kernel, const Target& target) {
  const bool near = has_many_registers(target) && row_elements(kernel) <= 3 * kNearRow;
  const int64_t chains = near ? 8 : 4, gates = most_gates(kernel);
  const auto vectors = std::bit_floor(static_cast<uint64_t>((chains + gates - 1) / gates));
  return static_cast<int64_t>(target.vector_bytes < 64 ? 2 * vectors : vectors);
}

bool sums_in_turn(const Kernel& kernel, const GemmGroup& group, size_t vectors, const Target& target) {
  if (is_packed(kernel) && row_elements(kernel) >= 2 * kNearRow) return true;
  return vectors * chains_of(kernel, group) > most_row_sums(target);
}

std::vector<unsigned> row_widths(const Kernel& kernel, const Target& target) {
  size_t gates = 1, sums = 1;
  for (const GemmGroup& g : gemm_groups(kernel)) {
    const bool in_turn =
        !has_many_registers(target) && extent_of(kernel.accs[g.accs[0]].dims).constant() > kFewTerms;
    gates = std::max(gates, g.accs.size());
    sums = std::max(sums, in_turn ? g.accs.size() : chains_of(kernel, g));
  }
  // At least two vectors hide each other's latency, even if their partial sums do not fit.
  const size_t most = most_row_sums(target);
  const size_t wide = std::max(most / sums, std::min<size_t>(most / gates, 2)), least = 4;
  const size_t vectors = takes_wide_blocks(kernel) ? wide : (least + gates - 1) / gates;
  const auto columns = static_cast<unsigned>(kernel.dims.back().constant());
  const auto native = static_cast<unsigned>(target.vector_bytes / size_of(kernel.accs[0].dtype));
  const unsigned width = static_cast<unsigned>(std::bit_floor(std::max<size_t>(vectors, 1))) * native;
  std::vector<unsigned> all;
  for (unsigned left = columns; left > 0; left %= all.back()) {
    all.push_back(std::min(width, std::max(fitting(left), 4u)));
    if (all.back() > left) break;
  }
  return all;
}

bool has_all_columns(const Kernel& kernel, const Target& target) {
  return !is_packed(kernel) && row_widths(kernel, target).front() >= kernel.dims.back().constant();
}

int64_t packed_evens(const Kernel& kernel, const GemmGroup& group) {
  const Accumulator& acc = kernel.accs[group.accs[0]];
  const bool halves = kernel.schedule.form == Schedule::Form::row && acc.order == SumOrder::halves;
  return halves ? (acc.dims[0].constant() + 1) / 2 : 0;
}

bool reads_overwritten(const Kernel& kernel, const GemmGroup& group) {
  return gemm_operands(kernel, group.accs[0]).left->buffer == kernel.schedule.overwritten;
}

int64_t first_late_term(const Kernel& kernel, const Target& target) {
  const auto native = target.vector_bytes / static_cast<int64_t>(size_of(kernel.accs[0].dtype));
  size_t chains = 0;
  for (const GemmGroup& g : gemm_groups(kernel)) {
    const Accumulator& acc = kernel.accs[g.accs[0]];
    if (!reads_overwritten(kernel, g)) continue;
    if (acc.dims.size() != 1) return 0;
    chains += chains_of(kernel, g);
  }
  if (chains < kFewChains) return 0;
  const size_t vectors = row_widths(kernel, target).front() / static_cast<size_t>(native);
  if (chains * vectors > most_row_sums(target)) return 0;
  return (kernel.dims.back().constant() - 1) / native * native;
}

}  // namespace rondo::codegen
