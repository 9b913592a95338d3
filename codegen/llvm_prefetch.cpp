#include "codegen/llvm_prefetch.h"

#include <algorithm>

namespace rondo::codegen {

using namespace ir;

namespace {

struct Touched {
  Access access;
  DType dtype = DType::f32;
  bool written = false;
};

/// What differs from row to row and stands together along the columns: the rest is small, or not known yet.
std::vector<Touched> touched(const Kernel& kernel) {
  const size_t column = kernel.dims.size() - 1;
  std::vector<Touched> all;
  auto add = [&](const Access& access, DType dtype, bool written) {
    if (access.row != kNone || stride_of(access, column) != Poly(1)) return;
    if (stride_of(access, column - 1).is_zero()) return;
    if (std::ranges::none_of(all, [&](const Touched& t) { return t.access == access; }))
      all.push_back({access, dtype, written});
  };
  for (const Store& s : kernel.stores) add(s.access, kernel.nodes[s.value].dtype, true);
  for (const Node& n : kernel.nodes)
    if (n.op == ScalarOp::load) add(n.access, n.dtype, false);
  return all;
}

}  // namespace

void prefetch_tile(FunctionBuilder& f, const Kernel& kernel, const Values& at, unsigned rows,
                   int64_t columns) {
  const size_t column = kernel.dims.size() - 1;
  const std::vector<Touched> all = touched(kernel);
  if (all.empty()) return;
  f.for_each(f.i64(0), f.i64(rows), 1, [&](llvm::Value* r) {
    Values where = at;
    where[column - 1] = f.add(where[column - 1], r);
    for (const Touched& t : all) f.prefetch(t.access, t.dtype, where, f.i64(columns), t.written);
  });
}

}  // namespace rondo::codegen
