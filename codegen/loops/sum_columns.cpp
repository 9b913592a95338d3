#include "codegen/loops/sum_columns.h"

#include <algorithm>
#include <utility>

#include "codegen/kernels/schedule_gemm.h"

namespace rondo::codegen {

using namespace ir;

bool sums_columns(const Kernel& k, const std::vector<Poly>& rows) {
  return k.dims.size() == 1 && !k.accs.empty() && std::ranges::all_of(k.accs, [&](const Accumulator& a) {
           return a.kind == AccKind::sum && a.order == SumOrder::chain && a.dims == rows;
         });
}

namespace {

/// The variables of the kernel's dims behind those of the rows.
void move_rows_first(Accumulator& acc, size_t rank) {
  for (Node& n : acc.nodes) {
    std::vector<Poly>& strides = n.access.strides;
    if (n.op != ScalarOp::load && n.op != ScalarOp::index) continue;
    strides.resize(rank + acc.dims.size());
    std::rotate(strides.begin(), strides.begin() + static_cast<std::ptrdiff_t>(rank), strides.end());
  }
  acc.dims.clear();
}

Node of_acc(DType dtype, uint32_t acc) {
  Node n;
  n.op = ScalarOp::acc, n.dtype = dtype, n.acc = acc;
  return n;
}

Node zero(DType dtype) {
  Node n;
  n.dtype = dtype;
  return n;
}

void replace_acc(Nodes& nodes, uint32_t acc, const Access& by) {
  for (Node& n : nodes)
    if (n.op == ScalarOp::acc && n.acc == acc) n.op = ScalarOp::load, n.access = by;
}

Kernel empty_kernel(const std::string& name, std::vector<Poly> dims) {
  Kernel k;
  k.name = name, k.dims = std::move(dims);
  return k;
}

}  // namespace

ColumnSums part_column_sums(ProgramBuilder& p, const Kernel& k) {
  std::vector<Poly> points = k.accs[0].dims;
  points.insert(points.end(), k.dims.begin(), k.dims.end());
  ColumnSums parts{empty_kernel(k.name + ".start", k.dims), empty_kernel(k.name, points), k};
  parts.end.name += ".end";
  parts.end.accs.clear();
  for (uint32_t a = 0; a < k.accs.size(); ++a) {
    const DType dtype = k.accs[a].dtype;
    Access sum;
    sum.buffer = p.new_buffer(k.name + ".sum", dtype, extent_of(k.dims));
    sum.strides = {Poly(1)};
    parts.start.nodes.push_back(zero(dtype));
    parts.start.stores.push_back({sum, a});
    replace_acc(parts.end.nodes, a, sum);
    parts.add.accs.push_back(k.accs[a]);
    move_rows_first(parts.add.accs.back(), k.dims.size());
    parts.add.nodes.push_back(of_acc(dtype, a));
    sum.strides.insert(sum.strides.begin(), k.accs[0].dims.size(), Poly());
    parts.add.stores.push_back({.access = sum, .value = a, .add = true});
  }
  return parts;
}

bool adds_to_columns(const Kernel& k) {
  return std::ranges::any_of(k.accs, [](const Accumulator& a) { return a.dims.empty(); });
}

Kernel over_summed_rows(Kernel k, int64_t rows, const std::function<Poly(const Access&)>& stride_of_row) {
  for (Accumulator& acc : k.accs) {
    acc.dims = {Poly(rows)};
    for (Node& n : acc.nodes) {
      if (n.op != ScalarOp::load && n.op != ScalarOp::index) continue;
      n.access.strides.resize(k.dims.size());
      n.access.strides.push_back(stride_of_row(n.access));
    }
  }
  return k;
}

}  // namespace rondo::codegen
