// What the row form takes: see schedule_gemm.h.
#include <bit>
#include <cstdlib>

#include "codegen/schedule_gemm.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Elements of the right operands of a row in the first cache: 32 KB of f32.
constexpr int64_t kNear = 1 << 13;
/// Elements from one row of a matrix to the next, beyond which they are far apart: half a page of f32.
constexpr int64_t kCloseRows = 1 << 9;

/// Elements of the matrices of a kernel that is_row.
int64_t row_elements(const Kernel& kernel) {
  Poly terms = 0;
  for (const Accumulator& acc : kernel.accs) terms = terms + extent_of(acc.dims);
  return (terms * kernel.dims.back()).constant();
}

}  // namespace

bool is_row(const Kernel& kernel) {
  const bool constant = std::ranges::all_of(
      kernel.accs, [](const Accumulator& acc) { return extent_of(acc.dims).is_constant(); });
  return row_count(kernel) == Poly(1) && kernel.dims.back().is_constant() && constant;
}

bool is_near_row(const Kernel& kernel) { return row_elements(kernel) <= kNear; }

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
  const bool near = target.vector_registers >= 32 && row_elements(kernel) <= 3 * kNear;
  const int64_t chains = near ? 8 : 4, gates = most_gates(kernel);
  const auto vectors = std::bit_floor(static_cast<uint64_t>((chains + gates - 1) / gates));
  return static_cast<int64_t>(target.vector_bytes < 64 ? 2 * vectors : vectors);
}

}  // namespace rondo::codegen
