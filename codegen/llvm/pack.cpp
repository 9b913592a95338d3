#include "codegen/llvm/pack.h"

#include <algorithm>

#include "codegen/kernels/simplify_kernel.h"
#include "codegen/llvm/emit.h"

namespace rondo::codegen {

using namespace ir;

GemmShape::GemmShape(FunctionBuilder& f, const Kernel& original)
    : kernel(merge_dims(original, true)),
      groups(gemm_groups(kernel)),
      tile(gemm_tile(kernel, f.target)),
      cut(gemm_columns(kernel, f.target)),
      blocks(gemm_blocks(kernel, f.target)),
      workspace(gemm_workspace(kernel, f.target)),
      lanes(gemm_lanes(kernel, f.target)),
      element(f.type(original.accs[0].dtype)),
      vector(f.type(original.accs[0].dtype, lanes)),
      align(size_of(original.accs[0].dtype)) {}

llvm::Value* last_value(FunctionBuilder& f, const Nodes& nodes, const Scope& scope) {
  return NodeValues(f, nodes, scope).lanes(static_cast<NodeId>(nodes.size() - 1));
}

void for_column_blocks(FunctionBuilder& f, const GemmShape& s, const VisitBlock& visit) {
  llvm::Value* whole = s.columns().is_constant() ? f.i64(s.cut.whole) : f.poly(s.columns());
  f.for_each(f.i64(0), whole, s.cut.width, [&](llvm::Value* n) { visit({n, s.cut.width, false}); });
  if (s.cut.rest > 0) visit({whole, s.cut.rest_width, true});
}

namespace {

/// A number that is odd at every other step of the loop around, or at every other call. Null: there is none,
/// or all that is walked stays near in any case.
llvm::Value* turn_of(FunctionBuilder& f, const GemmShape& s) {
  if (is_near_row(s.kernel)) return nullptr;
  if (!f.loops().empty()) return f.loop_variable(f.loops().back());
  if (s.kernel.schedule.workspace == kNone) return nullptr;
  llvm::Value* at = f.base(s.kernel.schedule.workspace);
  llvm::Value* turn = f.b.CreateLoad(f.b.getInt32Ty(), at);
  f.b.CreateStore(f.b.CreateNot(turn), at);
  return turn;
}

}  // namespace

void to_and_fro(FunctionBuilder& f, const GemmShape& s, const VisitBlock& visit) {
  llvm::Value* turn = turn_of(f, s);
  if (!turn) return for_column_blocks(f, s, visit);
  llvm::Value* odd = f.b.CreateTrunc(turn, f.b.getInt1Ty());
  const int64_t final_block = s.cut.whole - s.cut.width;
  auto all_whole = [&] {
    f.for_each(f.i64(0), f.i64(s.cut.whole), s.cut.width, [&](llvm::Value* n) {
      visit({f.b.CreateSelect(odd, f.b.CreateNSWSub(f.i64(final_block), n), n), s.cut.width, false});
    });
  };
  auto rest = [&] { visit({f.i64(s.cut.whole), s.cut.rest_width, true}); };
  if (s.cut.rest == 0) return all_whole();
  if (s.cut.whole == 0) return rest();
  // The rest is first in one direction and last in the other; its code stands once.
  f.for_each(f.i64(0), f.i64(2), 1, [&](llvm::Value* place) {
    llvm::Value* is_rest = f.b.CreateICmpNE(f.b.CreateTrunc(place, f.b.getInt1Ty()), odd);
    f.if_then(f.b.CreateNot(is_rest), all_whole);
    f.if_then(is_rest, rest);
  });
}

std::vector<ColumnVector> column_vectors(const GemmShape& s, const ColumnBlock& block) {
  std::vector<ColumnVector> all;
  int64_t first = 0;
  for (uint32_t lanes : vectors_over(block.width, s.lanes)) {
    all.push_back({first, lanes});
    first += lanes;
  }
  return all;
}

llvm::Value* mask_of(FunctionBuilder& f, const GemmShape& s, const ColumnBlock& block,
                     const ColumnVector& v) {
  if (s.columns().is_constant() && !(block.last && v.first + v.lanes > s.cut.rest)) return nullptr;
  return f.lanes_below(f.add(block.first, f.i64(v.first)), f.poly(s.columns()), v.lanes);
}

llvm::Value* load_right(FunctionBuilder& f, const GemmShape& s, uint32_t acc, Values at,
                        const ColumnBlock& block, const ColumnVector& v) {
  at[s.column()] = f.add(block.first, f.i64(v.first));
  const Nodes nodes = operand_nodes(s.kernel, acc, *gemm_operands(s.kernel, acc).right);
  return last_value(f, nodes, Scope{at, s.column(), v.lanes, mask_of(f, s, block, v)});
}

namespace {

/// How many terms before it is copied a row of an operand is asked for. Rows may be pages apart, which no
/// machine foresees, and few loads fit into its window.
constexpr int64_t kTermsAhead = 8;

/// The transpose of a square of vectors: a perfect shuffle of all elements, once for each bit of their
/// number.
Values transpose(FunctionBuilder& f, Values v) {
  auto n = static_cast<int>(v.size());
  std::vector<int> low(v.size()), high(v.size());
  for (int i = 0; i < n; ++i) {
    low[i] = i / 2 + i % 2 * n;
    high[i] = low[i] + n / 2;
  }
  for (int width = 1; width < n; width *= 2) {
    Values next;
    for (int i = 0; i < n / 2; ++i)
      for (const std::vector<int>& half : {low, high})
        next.push_back(f.b.CreateShuffleVector(v[i], v[i + n / 2], half));
    v = std::move(next);
  }
  return v;
}

/// The variables with that of the innermost k.
Values with(const Values& at, llvm::Value* k) {
  Values all = at;
  all.push_back(k);
  return all;
}

}  // namespace

Values with_term(FunctionBuilder& f, const GemmShape& s, const GemmGroup& g, Values at, llvm::Value* term) {
  if (s.k_dims(g).size() == 1) return with(at, term);
  llvm::Value* length = f.i64(terms_of_run(s.kernel, g));
  llvm::Value* run = f.divide(term, length);
  at.insert(at.end(), {run, f.b.CreateNSWSub(term, f.mul(run, length))});
  return at;
}

llvm::Value* packed_term(FunctionBuilder& f, int64_t evens, llvm::Value* term) {
  if (evens == 0) return term;
  return f.add(f.mul(f.b.CreateAnd(term, f.i64(1)), f.i64(evens)), f.b.CreateLShr(term, f.i64(1)));
}

void RightPacker::run(const Values& at, llvm::Value* k0, llvm::Value* k1, llvm::Value* first) const {
  for_blocks([&](const ColumnBlock& block) { run_block(block, at, k0, k1, first); });
}

void RightPacker::run_panel(const ColumnBlock& block, const Values& at, Interval terms) const {
  if (s_.k_dims(g_).size() == 1) return run_block(block, at, terms.begin, terms.end, f_.i64(0));
  llvm::Value* length = f_.i64(terms_of_run(s_.kernel, g_));
  llvm::Value* first = f_.divide(terms.begin, length);
  f_.for_each(first, f_.divide(terms.end, length), 1, [&](llvm::Value* run) {
    llvm::Value* done = f_.mul(f_.b.CreateNSWSub(run, first), length);
    run_block(block, with(at, run), f_.i64(0), length, done);
  });
}

void RightPacker::run_block(const ColumnBlock& block, const Values& at, llvm::Value* k0, llvm::Value* k1,
                            llvm::Value* first) const {
  auto term = [&](llvm::Value* k) { return f_.add(first, f_.b.CreateNSWSub(k, k0)); };
  llvm::Value* done = k0;
  if (runs_along_k()) {
    llvm::Value* terms = f_.b.CreateAnd(f_.b.CreateNSWSub(k1, k0), f_.i64(-static_cast<int64_t>(s_.lanes)));
    done = f_.add(k0, terms);
    if (!s_.columns().is_constant()) {
      llvm::Value* end = f_.add(block.first, f_.i64(block.width));
      done = f_.b.CreateSelect(f_.b.CreateICmpSLE(end, f_.poly(s_.columns())), done, k0);
    }
    f_.for_each(k0, done, s_.lanes, [&](llvm::Value* k) { copy_squares(block, with(at, k), term(k)); });
  }
  f_.for_each(done, k1, 1, [&](llvm::Value* k) {
    if (!runs_along_k()) prefetch(block, with(at, f_.add(k, f_.i64(kTermsAhead))));
    copy(block, with(at, k), term(k));
  });
}

void RightPacker::run_single(const Values& at) const {
  for_blocks([&](const ColumnBlock& block) { copy(block, at, f_.i64(0)); });
}

void RightPacker::for_blocks(const VisitBlock& visit) const {
  if (!share_) return for_column_blocks(f_, s_, visit);
  llvm::Value* first = f_.poly(Dim(share_->first));
  llvm::Value* end = f_.add(first, f_.poly(Dim(share_->size)));
  if (!s_.columns().is_constant())
    return f_.for_each(first, end, s_.cut.width, [&](llvm::Value* n) { visit({n, s_.cut.width, false}); });
  llvm::Value* whole = f_.minimum(end, f_.i64(s_.cut.whole));
  f_.for_each(first, whole, s_.cut.width, [&](llvm::Value* n) { visit({n, s_.cut.width, false}); });
  // Whose share has the last column packs the last block, of which a part may be in another share.
  if (s_.cut.rest == 0) return;
  llvm::Value* has_last =
      f_.b.CreateAnd(f_.b.CreateICmpSLT(first, end), f_.b.CreateICmpEQ(end, f_.poly(s_.columns())));
  f_.if_then(has_last, [&] { visit({f_.i64(s_.cut.whole), s_.cut.rest_width, true}); });
}

bool RightPacker::runs_along_k() const {
  size_t k = s_.kernel.dims.size() + s_.k_dims(g_).size() - 1;
  return std::ranges::all_of(g_.accs, [&](uint32_t acc) {
    const Access& right = *gemm_operands(s_.kernel, acc).right;
    return right.row == kNone && stride_of(right, k) == Poly(1) && stride_of(right, s_.column()) != Poly(1);
  });
}

llvm::Value* RightPacker::place(const ColumnBlock& block, llvm::Value* term, int64_t a,
                                llvm::Value* column) const {
  llvm::Value* run = f_.add(f_.mul(f_.b.CreateNSWSub(block.first, origin_), panel_),
                            f_.mul(packed_term(f_, evens_, term), f_.i64(block.width)));
  llvm::Value* to = f_.element(s_.element, packed_, f_.mul(run, f_.i64(accs_)));
  return f_.element(s_.element, to, f_.add(f_.i64(a * block.width), column));
}

void RightPacker::copy(const ColumnBlock& block, const Values& at, llvm::Value* term) const {
  for (int64_t a = 0; a < accs_; ++a)
    for (const ColumnVector& v : column_vectors(s_, block))
      f_.b.CreateAlignedStore(load_right(f_, s_, g_.accs[a], at, block, v),
                              place(block, term, a, f_.i64(v.first)), s_.align);
}

void RightPacker::prefetch(const ColumnBlock& block, const Values& at) const {
  Values where = at;
  where[s_.column()] = block.first;
  for (uint32_t acc : g_.accs) {
    const Access& right = *gemm_operands(s_.kernel, acc).right;
    if (right.row == kNone) f_.prefetch(right, s_.kernel.accs[acc].dtype, where, f_.i64(block.width));
  }
}

void RightPacker::copy_squares(const ColumnBlock& block, const Values& at, llvm::Value* term) const {
  const int64_t columns = block.last ? s_.cut.rest : block.width;
  const int64_t whole = columns / s_.lanes * s_.lanes;
  f_.for_each(f_.i64(0), f_.i64(whole), s_.lanes,
              [&](llvm::Value* first) { copy_square(block, first, s_.lanes, s_.lanes, at, term); });
  for (const ColumnVector& v : column_vectors(s_, block))
    if (v.first >= whole) copy_square(block, f_.i64(v.first), v.lanes, columns - v.first, at, term);
}

void RightPacker::copy_square(const ColumnBlock& block, llvm::Value* first, unsigned lanes, int64_t columns,
                              const Values& at, llvm::Value* term) const {
  for (int64_t a = 0; a < accs_; ++a) {
    const Access& right = *gemm_operands(s_.kernel, g_.accs[a]).right;
    Values where = at, rows(s_.lanes, llvm::Constant::getNullValue(s_.vector));
    for (int64_t r = 0; r < columns; ++r) {
      where[s_.column()] = f_.add(f_.add(block.first, first), f_.i64(r));
      llvm::Value* from = f_.element(s_.element, f_.base(right.buffer), affine_index(f_, right, where));
      rows[static_cast<size_t>(r)] = f_.b.CreateAlignedLoad(s_.vector, from, s_.align);
    }
    const Values terms = transpose(f_, rows);
    for (unsigned t = 0; t < s_.lanes; ++t)
      f_.b.CreateAlignedStore(f_.part(terms[t], 0, lanes), place(block, f_.add(term, f_.i64(t)), a, first),
                              s_.align);
  }
}

Nodes left_nodes(const GemmShape& s, const GemmGroup& g) {
  return operand_nodes(s.kernel, g.accs[0], *gemm_operands(s.kernel, g.accs[0]).left);
}

void pack_left(FunctionBuilder& f, const GemmShape& s, const GemmGroup& g, const Values& outer,
               llvm::Value* packed, Interval row, Interval term) {
  llvm::Value* run = f.b.CreateNSWSub(term.end, term.begin);
  auto rows = static_cast<int64_t>(s.tile.rows);
  const Nodes nodes = left_nodes(s, g);
  int row_variable = s.column() - 1;
  const Access& left = *gemm_operands(s.kernel, g.accs[0]).left;
  bool whole_vectors = row_variable >= 0 && rows > 1 && stride_of(left, row_variable) == Poly(1);
  auto prefetch_row = [&](llvm::Value* k) {
    if (left.row != kNone || !whole_vectors) return;
    Values at = with(outer, k);
    at[row_variable] = row.begin;
    f.prefetch(left, s.kernel.accs[g.accs[0]].dtype, at, f.b.CreateNSWSub(row.end, row.begin));
  };
  auto copy = [&](llvm::Value* tile_row, llvm::Value* r, llvm::Value* k, unsigned lanes) {
    Values at = with(outer, k);
    if (row_variable >= 0) at[row_variable] = f.add(tile_row, r);
    llvm::Value* value = last_value(f, nodes, Scope{at, row_variable, lanes, nullptr});
    llvm::Value* to = f.add(f.mul(f.b.CreateNSWSub(tile_row, row.begin), run),
                            f.mul(f.b.CreateNSWSub(k, term.begin), f.i64(rows)));
    f.b.CreateAlignedStore(value, f.element(s.element, packed, f.add(to, r)), s.align);
  };
  // A few terms at a time, tile by tile, so that lines are written as a whole.
  f.for_each(term.begin, term.end, kTermsAhead, [&](llvm::Value* first) {
    llvm::Value* last = f.minimum(term.end, f.add(first, f.i64(kTermsAhead)));
    f.for_each(first, last, 1, [&](llvm::Value* k) { prefetch_row(f.add(k, f.i64(kTermsAhead))); });
    f.for_each(row.begin, row.end, rows, [&](llvm::Value* tile_row) {
      llvm::Value* count = f.minimum(f.b.CreateNSWSub(row.end, tile_row), f.i64(rows));
      llvm::Value* whole = whole_vectors ? f.b.CreateICmpEQ(count, f.i64(rows)) : f.b.getFalse();
      f.for_each(first, last, 1, [&](llvm::Value* k) {
        f.if_then(whole, [&] { copy(tile_row, f.i64(0), k, s.tile.rows); });
        f.if_then(f.b.CreateNot(whole),
                  [&] { f.for_each(f.i64(0), count, 1, [&](llvm::Value* r) { copy(tile_row, r, k, 1); }); });
      });
    });
  });
}

void emit_pack(FunctionBuilder& f, const Pack& pack) {
  GemmShape s(f, *pack.kernel);
  const GemmGroup& g = s.groups.at(pack.group);
  const Poly extent = extent_of(s.k_dims(g));
  const int64_t evens = packed_evens(s.kernel, g);
  if (pack.source) s.kernel = merge_dims(*pack.source, true);
  std::vector<Poly> outer = s.k_dims(g);
  Values at(s.kernel.dims.size(), f.i64(0));
  const BufferId packed = pack.kernel->schedule.packed.at(pack.group);
  const Share share = share_over(s.columns(), {0, s.cut.width, false});
  f.define(share);
  const bool shared = f.program.threads > 1 && f.program.buffers[packed].own.is_zero() &&
                      pack.kernel->schedule.split.dim != kNone;
  RightPacker packer(f, s, g, f.base(packed), f.i64(0), f.poly(extent), evens, shared ? &share : nullptr);
  if (outer.empty()) return packer.run_single(at);
  llvm::Value* inner = f.poly(outer.back());
  outer.pop_back();
  f.fold_box(outer, at, {}, [&](const Values& around, llvm::Value* number, const Values&) {
    packer.run(around, f.i64(0), inner, f.add(f.i64(pack.first), f.mul(number, inner)));
    return Values{};
  });
}

}  // namespace rondo::codegen
