#include "tools/bench/work.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>

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

double flops_of(const Func& in, const Op& product, const DimValues& dims) {
  const Type &a = in.type(product.operands[0]), &b = in.type(product.operands[1]);
  const Dim& width = product.attrs.tb ? b.shape[0] : b.shape.back();
  return 2 * elements(a, dims) * static_cast<double>(ir::bind(width, dims));
}

/// Of the right operand, but where both are sequences: a sum over steps.
double matrix_bytes(const Func& in, const Op& product, const DimValues& dims) {
  return product.attrs.ta ? 0 : bytes(in.type(product.operands[1]), dims);
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

/// Ops that only show elements of their operands.
bool is_view(const Op& op) {
  const OpDef& def = def_of(op.kind);
  return op.kind == OpKind::concat ||
         ((def.cls == OpClass::slice || def.cls == OpClass::view) && def.elements_of == 0);
}

/// Their number is named.
bool grows_with_steps(const Type& type) {
  return std::ranges::any_of(type.shape, [](const Dim& d) { return d.is_named(); });
}

/// The first loop after the loss, which is the first result; the number of ops if there is none.
int32_t first_backward(const Func& func) {
  const auto loss = func.ops.begin() + func.values[func.results[0].id].op;
  const auto is_loop = [](const Op& op) { return op.kind == OpKind::scan; };
  return static_cast<int32_t>(std::find_if(loss + 1, func.ops.end(), is_loop) - func.ops.begin());
}

/// The scan of blocks of rows that walk forward and backward; null if there is none.
const Op* row_blocks(const Func& func) {
  const auto found = std::ranges::find_if(func.ops, [](const Op& op) {
    auto walks = [&](bool reverse) {
      return std::ranges::any_of(op.body->ops, [&](const Op& inner) {
        return inner.kind == OpKind::scan && inner.attrs.reverse == reverse;
      });
    };
    return op.attrs.window.is_named() && !op.attrs.reverse && walks(false) && walks(true);
  });
  return found == func.ops.end() ? nullptr : &*found;
}

/// The carry that a y holds the values of, before or after each step: both are windows of one tensor.
std::optional<uint32_t> carry_of(const ScanView& scan, Value y) {
  for (uint32_t i = 0; i < scan.ys; ++i)
    for (uint32_t c = 0; scan.y(i) == y && c < scan.carries; ++c)
      if (scan.y_value(i) == scan.carry_param(c) || scan.y_value(i) == scan.next(c)) return c;
  return std::nullopt;
}

}  // namespace

double matmul_flops(const Func& func, const DimValues& dims) {
  return sum_over_products(func, dims, flops_of);
}

double seconds_of_one_row(const Func& func, const DimValues& dims, double flops, double bytes) {
  return sum_over_products(func, dims, [&](const Func& in, const Op& op, const DimValues& dims) {
    return std::max(flops_of(in, op, dims) / flops, matrix_bytes(in, op, dims) / bytes);
  });
}

double step_weight_bytes(const Func& func, const DimValues& dims) {
  double most = 0;
  for (const Op& op : func.ops)
    if (op.kind == OpKind::scan)
      for (const DimValues& inside : dims_of_runs(func, op, dims))
        most = std::max(most, step_weight_bytes(*op.body, inside));
  return most > 0 ? most : sum_over_products(func, dims, matrix_bytes);
}

double stash_bytes(const Func& func, const DimValues& dims) {
  if (const Op* blocks = row_blocks(func))
    return stash_bytes(*blocks->body, dims_of_runs(func, *blocks, dims).at(0));
  const int32_t first = first_backward(func);
  std::set<Value> kept;
  const std::function<void(Value)> keep = [&](Value v) {
    const int32_t at = func.values[v.id].op;
    if (at < 0) return;
    const Op& op = func.ops[static_cast<size_t>(at)];
    if (is_view(op))
      std::ranges::for_each(op.operands, keep);
    else if (at < first && grows_with_steps(func.type(v)))
      kept.insert(v);
  };
  for (auto i = static_cast<size_t>(first); i < func.ops.size(); ++i)
    std::ranges::for_each(func.ops[i].operands, keep);
  double sum = 0;
  std::set<std::pair<int32_t, uint32_t>> carries;
  for (Value v : kept) {
    const Op& op = *func.def(v);
    const std::optional<uint32_t> carry = op.kind == OpKind::scan ? carry_of(ScanView(op), v) : std::nullopt;
    const bool is_known = carry && !carries.emplace(func.values[v.id].op, *carry).second;
    sum += bytes(func.type(is_known ? op.result(*carry) : v), dims);
  }
  return sum;
}

}  // namespace rondo::bench
