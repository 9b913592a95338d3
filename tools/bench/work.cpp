#include "tools/bench/work.h"

#include <algorithm>
#include <functional>
#include <set>

#include "ir/op_def.h"

namespace rondo::bench {
namespace {

using namespace ir;

double elements(const Type& type, const DimValues& dims) {
  double count = 1;
  for (int64_t extent : ir::bind(type.shape, dims)) count *= static_cast<double>(extent);
  return count;
}

double bytes(const Type& type, const DimValues& dims) {
  return elements(type, dims) * static_cast<double>(size_of(type.dtype));
}

/// The dims of each run of a scan's body: of windows, the last may be shorter.
std::vector<DimValues> dims_of_runs(const Func& func, const Op& scan, const DimValues& dims) {
  const auto runs = static_cast<size_t>(std::max<int64_t>(ir::bind(trip_count(func, scan), dims), 0));
  std::vector<DimValues> all(runs, dims);
  if (!scan.attrs.window.is_named()) return all;
  const int64_t steps = ir::bind(scan.attrs.dim, dims), longest = ir::bind(scan.attrs.longest, dims);
  for (size_t run = 0; run < runs; ++run)
    all[run][scan.attrs.window.name()] = std::min(longest, steps - static_cast<int64_t>(run) * longest);
  return all;
}

/// The sum of `cost` over the products of func, those in scans once a step.
double sum_over_products(const Func& func, const DimValues& dims,
                         const std::function<double(const Func&, const Op&, const DimValues&)>& cost) {
  double sum = 0;
  for (const Op& op : func.ops) {
    if (op.kind == OpKind::matmul) sum += cost(func, op, dims);
    if (op.kind == OpKind::scan)
      for (const DimValues& inside : dims_of_runs(func, op, dims))
        sum += sum_over_products(*op.body, inside, cost);
  }
  return sum;
}

/// Ops that only show elements of their operand.
bool is_view(const Func& func, Value v) {
  const Op* op = func.def(v);
  if (!op) return false;
  const OpDef& def = def_of(op->kind);
  return (def.cls == OpClass::slice || def.cls == OpClass::view) && def.elements_of == 0;
}

Value source_of(const Func& func, Value v) {
  while (is_view(func, v)) v = func.def(v)->operands[0];
  return v;
}

}  // namespace

double matmul_flops(const Func& func, const DimValues& dims) {
  return sum_over_products(func, dims, [](const Func& in, const Op& op, const DimValues& dims) {
    const Type &a = in.type(op.operands[0]), &b = in.type(op.operands[1]);
    const Dim& width = op.attrs.tb ? b.shape[0] : b.shape.back();
    return 2 * elements(a, dims) * static_cast<double>(ir::bind(width, dims));
  });
}

double weight_bytes(const Func& func, const DimValues& dims) {
  return sum_over_products(func, dims, [](const Func& in, const Op& op, const DimValues& dims) {
    return op.attrs.ta ? 0 : bytes(in.type(op.operands[1]), dims);
  });
}

double stash_bytes(const Func& func, const DimValues& dims) {
  const auto backward = std::ranges::find_if(func.ops, [](const Op& op) { return op.attrs.reverse; });
  const auto first = static_cast<int32_t>(backward - func.ops.begin());
  std::set<Value> kept;
  for (auto op = backward; op != func.ops.end(); ++op)
    for (Value operand : op->operands) {
      const Value v = source_of(func, operand);
      if (func.values[v.id].op >= 0 && func.values[v.id].op < first) kept.insert(v);
    }
  double sum = 0;
  for (Value v : kept) sum += bytes(func.type(v), dims);
  return sum;
}

}  // namespace rondo::bench
