#include "codegen/llvm/prefetch.h"

#include <algorithm>
#include <optional>

namespace rondo::codegen {

using namespace ir;

namespace {

/// Elements of the left operands of a tile that are still in the first cache when the tile starts, though a
/// panel has passed: 16 KB of f32.
constexpr int64_t kNearTile = 1 << 12;

/// Elements of a packed matrix that is read from the third cache slowly, or, where others use that, from
/// memory: 8 MB of f32; and of a block of its columns that has room in the second cache beside the next one:
/// 256 KB.
constexpr int64_t kFarMatrix = 1 << 21, kBesideNext = 1 << 16;
/// Tiles of a block's rows from which its first one need not wait for all of the block: the others ask for
/// it.
constexpr int64_t kTilesToAsk = 3;

/// The most lines of a run that a part of a tile asks for: a few beside those that its own loads wait for.
constexpr int64_t kLinesOfPart = 8;

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

/// The elements of a run for each of a product's rows, if it has as many for all.
std::optional<int64_t> share_of_row(const Run& run, const Poly& rows) {
  if (rows.is_zero()) return std::nullopt;
  if (run.elements.is_constant() && rows.is_constant())
    return (run.elements.constant() + rows.constant() - 1) / rows.constant();
  const auto& [names, count] = *rows.terms().begin();
  const auto same = run.elements.terms().find(names);
  if (same == run.elements.terms().end() || same->second % count != 0) return std::nullopt;
  const int64_t share = same->second / count;
  return run.elements == rows * Poly(share) ? std::optional(share) : std::nullopt;
}

struct PanelStart {
  llvm::Value *column, *term;
};

/// The panel that follows has the next columns, or, after the last ones, the next terms; by columns, the next
/// terms, or, after the last ones, the next columns.
PanelStart following_panel(const GemmTiles& t, const TilePlace& place, const GemmGroup& g, Interval terms) {
  FunctionBuilder& f = t.f;
  llvm::Value* column = f.add(place.block.first, f.i64(place.block.width));
  if (t.s.blocks.by_columns) {
    llvm::Value* more = f.b.CreateICmpSLT(terms.end, f.poly(extent_of(t.s.k_dims(g))));
    return {f.b.CreateSelect(more, place.block.first, column), f.b.CreateSelect(more, terms.end, f.i64(0))};
  }
  llvm::Value* more = f.b.CreateICmpSLT(column, f.poly(t.s.columns()));
  return {f.b.CreateSelect(more, column, f.i64(0)), f.b.CreateSelect(more, terms.begin, terms.end)};
}

}  // namespace

void prefetch_tile(const GemmTiles& t, const TilePlace& place) {
  if (t.s.column() == 0 || t.rows == Poly(1)) return;
  const std::vector<Touched> all = touched(t.s.kernel);
  if (all.empty()) return;
  Values at = t.variables(place.at);
  at[t.s.column()] = place.block.first;
  t.f.for_each(t.f.i64(0), t.f.i64(t.s.tile.rows), 1, [&](llvm::Value* r) {
    at[t.s.column() - 1] = t.f.add(place.row, r);
    for (const Touched& what : all)
      t.f.prefetch(what.access, what.dtype, at, t.f.i64(place.block.width), what.written);
  });
}

int64_t terms_of_line(DType dtype) { return kCacheLine / static_cast<int64_t>(size_of(dtype)); }

Ahead left_ahead(const GemmTiles& t, const TilePlace& place, const GemmGroup& g, llvm::Value* first_term) {
  const Access& left = *gemm_operands(t.s.kernel, g.accs[0]).left;
  const Poly all = extent_of(t.s.k_dims(g));
  const int64_t terms = all.is_constant() ? all.constant() : t.s.blocks.k;
  if (left.row != kNone || t.s.column() == 0 || !left_in_runs(t.s.kernel, g)) return {};
  if (t.s.chains(g) > 1) return {};  // few lines, which cost more to ask for than to wait for
  if (t.s.tile.rows * terms > kNearTile) return {};
  return [=, &t, &left](llvm::Value* term) {
    Values at = with_term(t.f, t.s, g, t.variables(place.at), t.f.add(first_term, term));
    llvm::Value* row = t.following(place).row;
    for (unsigned r = 0; r < t.s.tile.rows; ++r) {
      at[t.s.column() - 1] = t.f.add(row, t.f.i64(r));
      t.f.prefetch(left, t.s.dtype(), at, t.f.i64(1));
    }
  };
}

Ahead panel_ahead(const GemmTiles& t, const TilePlace& place, const GemmGroup& g, Interval terms) {
  auto in_lines = [&](uint32_t acc) {
    const Access& right = *gemm_operands(t.s.kernel, acc).right;
    return right.row == kNone && stride_of(right, t.s.column()) == Poly(1);
  };
  if (!std::ranges::all_of(g.accs, in_lines)) return {};
  return [=, &t, &g](llvm::Value* term) {
    FunctionBuilder& f = t.f;
    const int64_t tile = t.s.tile.rows, line = terms_of_line(t.s.dtype());
    llvm::Value* run = f.b.CreateNSWSub(terms.end, terms.begin);
    llvm::Value* tiles = f.divide_up(f.b.CreateNSWSub(place.rows.end, place.rows.begin), f.i64(tile));
    llvm::Value* pieces = f.divide_up(run, f.i64(line));
    // A shorter block is the only one, of a short sum, whose operands are near, or the last one.
    llvm::Value* share = f.b.CreateSelect(f.b.CreateICmpEQ(run, f.i64(t.s.blocks.k)),
                                          f.divide_up(run, f.mul(tiles, pieces)), f.i64(0));
    llvm::Value* number = f.divide(f.b.CreateNSWSub(place.row, place.rows.begin), f.i64(tile));
    number = f.add(f.mul(number, pieces), f.divide(term, f.i64(line)));
    const PanelStart next = following_panel(t, place, g, terms);
    llvm::Value* first = f.mul(number, share);
    f.for_each(first, f.minimum(f.add(first, share), run), 1, [&](llvm::Value* k) {
      Values at = with_term(f, t.s, g, t.variables(place.at), f.add(next.term, k));
      at[t.s.column()] = next.column;
      for (uint32_t acc : g.accs)
        f.prefetch(*gemm_operands(t.s.kernel, acc).right, t.s.dtype(), at, f.i64(place.block.width));
    });
  };
}

Ahead packed_ahead(const GemmTiles& t, const TilePlace& place, uint32_t group) {
  const GemmGroup& g = t.s.groups[group];
  const Poly terms = extent_of(t.s.k_dims(g));
  const Poly size = packed_size(t.s.kernel, group, t.f.target);
  if (t.rows == Poly(1) || !size.is_constant() || size.constant() < kFarMatrix) return {};
  const auto sums = static_cast<int64_t>(g.accs.size());
  const int64_t block = terms.constant() * place.block.width * sums;
  if (block > kBesideNext) return {};
  return [=, &t](llvm::Value* term) {
    FunctionBuilder& f = t.f;
    const int64_t tile = t.s.tile.rows, line = terms_of_line(t.s.dtype());
    const int64_t lines = block / line, pieces = (terms.constant() + line - 1) / line;
    llvm::Value* tiles = f.divide_up(f.b.CreateNSWSub(place.rows.end, place.rows.begin), f.i64(tile));
    llvm::Value* share = f.b.CreateSelect(f.b.CreateICmpSGE(tiles, f.i64(kTilesToAsk)),
                                          f.divide_up(f.i64(lines), f.mul(tiles, f.i64(pieces))), f.i64(0));
    llvm::Value* number = f.divide(f.b.CreateNSWSub(place.row, place.rows.begin), f.i64(tile));
    number = f.add(f.mul(number, f.i64(pieces)), f.divide(term, f.i64(line)));
    llvm::Value* next = f.add(place.block.first, f.i64(place.block.width));
    next = f.b.CreateSelect(f.b.CreateICmpSLT(next, f.poly(t.s.columns())), next, f.i64(0));
    llvm::Value* first =
        f.add(f.mul(next, f.i64(terms.constant() * sums)), f.mul(f.mul(number, share), f.i64(line)));
    llvm::Value* packed = f.base(t.s.kernel.schedule.packed[group]);
    auto ask = [&](llvm::Value* l) {
      llvm::Value* at = f.add(first, f.mul(l, f.i64(line)));
      f.prefetch_line(f.b.CreateGEP(t.s.element, packed, at));  // not in bounds
    };
    auto* known = llvm::dyn_cast<llvm::ConstantInt>(share);
    if (!known) return f.for_each(f.i64(0), share, 1, ask);
    for (int64_t l = 0; l < known->getSExtValue(); ++l) ask(f.i64(l));
  };
}

Ahead runs_ahead(const GemmTiles& t, const TilePlace& place, const GemmGroup& g, llvm::Value* row,
                 int64_t rows, const std::vector<Run>& runs) {
  const Poly terms = extent_of(t.s.k_dims(g));
  if (runs.empty() || !terms.is_constant() || !t.s.columns().is_constant()) return {};
  const int64_t line = terms_of_line(t.s.dtype()), pieces = (terms.constant() + line - 1) / line;
  const int64_t blocks = (t.s.columns().constant() + place.block.width - 1) / place.block.width;
  return [=, &t, &runs](llvm::Value* term) {
    FunctionBuilder& f = t.f;
    llvm::Value* number = f.add(f.mul(f.divide(place.block.first, f.i64(place.block.width)), f.i64(pieces)),
                                f.divide(term, f.i64(line)));
    for (const Run& run : runs) {
      const std::optional<int64_t> of_row = share_of_row(run, t.rows);
      if (!of_row) continue;
      const int64_t bytes = *of_row * static_cast<int64_t>(size_of(run.dtype));
      const int64_t lines = (rows * bytes + kCacheLine - 1) / kCacheLine;
      const int64_t share = std::min((lines + blocks * pieces - 1) / (blocks * pieces), kLinesOfPart);
      llvm::Value* first = f.minimum(f.mul(number, f.i64(share)), f.i64(lines - share));
      llvm::Value* at = f.add(f.mul(row, f.i64(bytes)), f.mul(first, f.i64(kCacheLine)));
      llvm::Value* start = f.b.CreateGEP(f.memory_type(run.dtype), f.base(run.first.buffer),
                                         affine_index(f, run.first, {}));  // not in bounds
      for (int64_t l = 0; l < share; ++l)
        f.prefetch_line(f.b.CreateGEP(f.b.getInt8Ty(), start, f.add(at, f.i64(l * kCacheLine))), false,
                        FunctionBuilder::Near::second_cache);
    }
  };
}

void prefetch_row(FunctionBuilder& f, const NextProduct& next, int64_t lines) {
  const GemmShape s(f, *next.kernel);
  if (s.groups.size() > 1 || s.cut.rest > 0) return;
  const int64_t blocks = s.cut.whole / s.cut.width, line = terms_of_line(s.dtype());
  const int64_t block = packed_size(s.kernel, 0, f.target).constant() / blocks;
  if (lines * line > block) return;
  // It starts with what was read last.
  const int64_t place = std::min(kNearRow / block, blocks - 1);
  llvm::Value* odd = f.b.CreateTrunc(f.loop_variable(next.loop), f.b.getInt1Ty());
  if (next.next_step) odd = f.b.CreateNot(odd);
  llvm::Value* at = f.b.CreateSelect(odd, f.i64((blocks - 1 - place) * block), f.i64(place * block));
  llvm::Value* matrix = f.element(s.element, f.base(next.kernel->schedule.packed[0]), at);
  for (int64_t l = 0; l < lines; ++l) f.prefetch_line(f.element(s.element, matrix, f.i64(l * line)));
}

}  // namespace rondo::codegen
