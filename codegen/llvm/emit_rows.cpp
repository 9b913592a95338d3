#include <algorithm>
#include <memory>

#include "codegen/kernels/simplify_kernel.h"
#include "codegen/llvm/emit.h"
#include "codegen/llvm/kept.h"
#include "codegen/llvm/prefetch.h"
#include "codegen/loops/fuse_rows.h"
#include "codegen/loops/sum_columns.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Vectors of a row up to which its code has no loops: four gates of 64 units, of 16 lanes each.
constexpr int64_t kShortRow = 16;

/// Lines of the next product's matrix that come closer while a row waits for its last sum.
constexpr int64_t kLinesAhead = 192;

/// Machines without vectors have no registers for them.
bool are_short(const std::vector<Stmt>& body, const Target& target) {
  if (target.vector_registers < 16) return false;
  const int64_t most = kShortRow * target.vector_bytes / static_cast<int64_t>(sizeof(float));
  auto is_short = [&](const Poly& d) { return d.is_constant() && d.constant() <= most; };
  return std::ranges::all_of(body, [&](const Stmt& s) {
    return std::ranges::all_of(s.kernel->dims, is_short) &&
           std::ranges::all_of(s.kernel->accs, [&](const Accumulator& a) {
             return a.dims.size() == 1 && is_short(a.dims[0]);
           });
  });
}

/// Elements of a row of a buffer that holds the rows at hand.
Poly row_size(const LoopProgram& program, const Buffer& own, const Loop& loop) {
  const Poly of_thread = own.size - own.own * Poly(program.threads - 1);
  return of_thread.constant() / loop.abreast;
}

/// The kernel over so many rows from the loop's on. Its own buffers have room for them.
Kernel over_rows(Kernel k, const LoopProgram& program, const Loop& loop, int64_t rows) {
  auto stride_of_row = [&](const Access& a) {
    const bool own = std::ranges::count(loop.own, a.buffer) > 0;
    return own ? row_size(program, program.buffers[a.buffer], loop) : stride_of_loop(a, loop.id);
  };
  if (adds_to_columns(k)) return over_summed_rows(std::move(k), rows, stride_of_row);
  k.dims.insert(k.dims.begin(), Poly(rows));
  visit_accesses(k, [&](Access& a) { a.strides.insert(a.strides.begin(), stride_of_row(a)); });
  return k;
}

void emit_block(FunctionBuilder& f, const Loop& loop, int64_t rows) {
  for (const Stmt& s : loop.body) emit_vector_kernel(f, over_rows(*s.kernel, f.program, loop, rows));
}

/// Without loops where the row is short: what a kernel reads of those before is in registers. While it waits
/// for its last sum, the matrix of the next product comes closer; before, its own operands would wait behind.
void emit_row(FunctionBuilder& f, const Loop& loop, const NextProduct& next) {
  KeptValues kept(f, loop.own);
  f.kept = &kept;
  f.unrolled = are_short(loop.body, f.target) ? kShortRow : 1;
  auto left = std::ranges::count_if(loop.body, [](const Stmt& s) { return !s.kernel->accs.empty(); });
  for (const Stmt& s : loop.body) {
    emit_vector_kernel(f, *s.kernel);
    const bool is_last_sum = !s.kernel->accs.empty() && --left == 0;
    if (is_last_sum && next.kernel && f.unrolled > 1) prefetch_row(f, next, kLinesAhead);
  }
  f.unrolled = 1;
  f.kept = nullptr;
  kept.remove_stores();
}

}  // namespace

void emit_rows(FunctionBuilder& f, const Loop& loop, const Share* share, const NextProduct& next,
               uint32_t level) {
  const bool innermost = !loop.body.front().loop;
  llvm::Value *begin = f.i64(0), *end = f.poly(loop.trip);
  if (share && share->split.dim == level) {
    begin = f.poly(Dim(share->first));
    end = f.add(begin, f.poly(Dim(share->size)));
  }
  auto loops = [&](int64_t step, const std::function<void()>& body) {
    llvm::Value* rows = f.b.CreateAnd(f.b.CreateNSWSub(end, begin), f.i64(-step));
    llvm::Value* whole = f.add(begin, rows);
    f.for_each(begin, whole, step, [&](llvm::Value* i) {
      f.enter_loop(loop.id, i);
      body();
      f.leave_loop();
    });
    begin = whole;
  };
  if (!innermost) return loops(1, [&] { emit_rows(f, *loop.body.front().loop, share, next, level + 1); });
  if (loop.abreast > 1) loops(loop.abreast, [&] { emit_block(f, loop, loop.abreast); });
  loops(1, [&] { emit_row(f, loop, loop.trip == Poly(1) ? next : NextProduct{}); });
}

}  // namespace rondo::codegen
