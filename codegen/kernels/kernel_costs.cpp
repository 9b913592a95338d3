#include "codegen/kernels/kernel_costs.h"

#include <algorithm>

#include "codegen/kernels/schedule_gemm.h"
#include "codegen/kernels/simplify_kernel.h"

namespace rondo::codegen {

using namespace ir;

namespace {

bool is_operation(ScalarOp op) {
  switch (op) {
    case ScalarOp::constant:
    case ScalarOp::load:
    case ScalarOp::index:
    case ScalarOp::size:
    case ScalarOp::acc: return false;
    default: return true;
  }
}

/// Whether a term is multiplied and added in one operation.
bool is_product(const Accumulator& acc) {
  return acc.kind == AccKind::sum && acc.nodes[acc.value].op == ScalarOp::mul;
}

void add_operations(const Nodes& nodes, const Poly& times, KernelCosts& costs) {
  for (const Node& n : nodes)
    if (is_operation(n.op)) costs.operations[n.op] += times;
}

Poly reach(const Access& access, const std::vector<Poly>& extents) {
  Poly elements = 1;
  for (size_t i = 0; i < extents.size(); ++i)
    if (!stride_of(access, i).is_zero()) elements = elements * extents[i];
  return elements;
}

}  // namespace

KernelCosts costs_of(const Kernel& kernel) {
  KernelCosts costs;
  const Poly points = extent_of(kernel.dims);
  for (const Accumulator& acc : kernel.accs) {
    const Poly terms = points * extent_of(acc.dims);
    if (is_product(acc)) {
      Nodes factors = acc.nodes;
      factors.erase(factors.begin() + acc.value);
      add_operations(factors, terms, costs);
      costs.multiply_adds += terms;
      continue;
    }
    add_operations(acc.nodes, terms, costs);
    costs.operations[acc.kind == AccKind::sum ? ScalarOp::add : ScalarOp::max] += terms;
  }
  add_operations(kernel.nodes, points, costs);
  for (const Store& s : kernel.stores)
    if (s.add) costs.operations[ScalarOp::add] += points;
  return costs;
}

int64_t packed_elements(const Kernel& original, const Target& target, const DimValues& dims) {
  if (original.schedule.form != Schedule::Form::gemm || !original.schedule.block) return 0;
  const Kernel kernel = merge_dims(original, true);
  const int64_t rows = kernel.dims.size() > 1 ? kernel.dims[kernel.dims.size() - 2].evaluate(dims) : 1;
  const int64_t rows_a_block = gemm_blocks(kernel, target).rows;
  int64_t elements = 0;
  for (const GemmGroup& g : gemm_groups(kernel)) {
    // Each block of rows packs all right operands anew; left ones are packed once, if at all.
    const int64_t terms = extent_of(kernel.accs[g.accs[0]].dims).evaluate(dims);
    const int64_t columns = kernel.dims.back().evaluate(dims) * static_cast<int64_t>(g.accs.size());
    elements += terms * columns * ((rows + rows_a_block - 1) / rows_a_block);
    if (!left_in_place(kernel, g, target)) elements += terms * rows;
  }
  return elements;
}

Poly packed_elements(const Pack& pack) {
  const GemmGroup group = gemm_groups(*pack.kernel).at(pack.group);
  return extent_of(pack.kernel->accs[group.accs[0]].dims) * pack.kernel->dims.back() *
         Poly(static_cast<int64_t>(group.accs.size()));
}

std::vector<Reached> reached(const Kernel& kernel) {
  std::vector<Reached> all;
  auto note = [&](const Access& a, const std::vector<Poly>& extents) {
    if (std::ranges::count(all, a, &Reached::access) == 0) all.push_back({a, reach(a, extents)});
  };
  auto note_loads = [&](const Nodes& nodes, const std::vector<Poly>& extents) {
    for (const Node& n : nodes)
      if (n.op == ScalarOp::load) note(n.access, extents);
  };
  note_loads(kernel.nodes, kernel.dims);
  for (const Accumulator& acc : kernel.accs) {
    std::vector<Poly> extents = kernel.dims;
    extents.insert(extents.end(), acc.dims.begin(), acc.dims.end());
    note_loads(acc.nodes, extents);
  }
  for (const Store& s : kernel.stores) note(s.access, kernel.dims);
  return all;
}

}  // namespace rondo::codegen
