#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "codegen/llvm_emit.h"
#include "codegen/llvm_gemm_tile.h"
#include "codegen/llvm_prefetch.h"
#include "support/error.h"

// The blocks are those of K. Goto and R. van de Geijn, Anatomy of High-Performance Matrix Multiplication,
// 2008, one level further out: a panel of right operands stays in the second-level cache while all rows pass
// it. Unlike there, the sum over k has one order in every form (SumOrder), so that all forms give the same
// bits.
namespace rondo::codegen {

using namespace ir;

namespace {

/// A vector of a row of sums: of one accumulator, or, of packed operands, of several that stand side by side.
struct SumVector {
  size_t acc;  // of the group
  ColumnVector columns;
};

class GemmEmitter {
 public:
  GemmEmitter(FunctionBuilder& f, const Kernel& original) : f_(f), t_(f, original), s_(t_.s), finisher_(t_) {
    const std::vector<Poly>& dims = s_.kernel.dims;
    outer_.assign(dims.begin(), dims.end() - std::min<int64_t>(2, static_cast<int64_t>(dims.size())));
  }

  void run() {
    const Schedule& schedule = s_.kernel.schedule;
    bool one_k = std::ranges::all_of(s_.groups, [&](const GemmGroup& g) { return s_.k_dims(g).size() == 1; });
    blocked_ = schedule.block && !is_packed(s_.kernel) && schedule.workspace != kNone && one_k;
    f_.for_box(outer_, [&](const Values& at) { blocked_ ? run_blocked(at) : run_direct(at); });
  }

 private:
  // ---- Tiles over the whole of k, right operands packed before or read where they are.

  void run_direct(const Values& at) {
    llvm::Value* sums = f_.stack(s_.element, t_.sums_of_tile());
    for_row_blocks([&](Interval rows) {
      for_column_blocks(f_, s_, [&](const ColumnBlock& block) {
        t_.for_each(rows, true, [&](llvm::Value* row, int64_t height) {
          TilePlace place = t_.in_outputs ? t_.place_in_outputs(at, row, block, rows)
                                          : t_.place(at, row, block, rows, sums);
          place.height = height;
          prefetch_tile(t_, place);
          for_tile_rows(place, [&](unsigned count, llvm::Value* done) {
            for (uint32_t g = 0; g < s_.groups.size(); ++g) direct_tile(place, g, count, done);
          });
          if (!t_.in_outputs) finisher_.run(place);
        });
      });
    });
  }

  /// Row blocks of about one size, whose left operands stay in the second-level cache while all columns pass.
  void for_row_blocks(const std::function<void(Interval)>& visit) {
    llvm::Value* rows = f_.poly(t_.rows);
    if (t_.rows.is_constant() && t_.rows.constant() <= s_.blocks.rows) return visit({f_.i64(0), rows});
    llvm::Value* some = f_.b.CreateSelect(f_.b.CreateICmpSGT(rows, f_.i64(0)), rows, f_.i64(1));
    llvm::Value* count = f_.divide_up(some, f_.i64(s_.blocks.rows));
    llvm::Value* size = f_.mul(tiles_of(f_.divide_up(some, count)), f_.i64(s_.tile.rows));
    f_.for_each(f_.i64(0), count, 1, [&](llvm::Value* block) {
      llvm::Value* first = f_.mul(block, size);
      visit({first, f_.minimum(rows, f_.add(first, size))});
    });
  }

  llvm::Value* tiles_of(llvm::Value* rows) { return f_.divide_up(rows, f_.i64(s_.tile.rows)); }

  /// The rows of one tile: all, or what is left at the end in pieces of constant size.
  void for_tile_rows(const TilePlace& place,
                     const std::function<void(unsigned rows, llvm::Value* done)>& visit) {
    auto whole = static_cast<int64_t>(s_.tile.rows);
    const int64_t most = rows_at_once(place.block);
    auto in_parts = [&](int64_t rows, llvm::Value* done) {
      for (int64_t part = 0, parts = (rows + most - 1) / most; part < parts; ++part) {
        const int64_t first = rows * part / parts, next = rows * (part + 1) / parts;
        visit(static_cast<unsigned>(next - first), f_.add(done, f_.i64(first)));
      }
    };
    if (place.height > 0) return in_parts(place.height, f_.i64(0));
    int64_t left = t_.rows.is_constant() ? t_.rows.constant() % whole : -1;
    if (left == 0) return in_parts(whole, f_.i64(0));
    llvm::Value* count = f_.b.CreateNSWSub(place.rows.end, place.row);
    f_.if_then(f_.b.CreateICmpSGE(count, f_.i64(whole)), [&] { in_parts(whole, f_.i64(0)); });
    f_.if_then(f_.b.CreateICmpSLT(count, f_.i64(whole)), [&] {
      if (left > 0) return in_parts(left, f_.i64(0));
      for (int64_t piece = 8; piece > 0; piece /= 2) {
        if (piece >= whole) continue;
        llvm::Value* has = f_.b.CreateICmpNE(f_.b.CreateAnd(count, f_.i64(piece)), f_.i64(0));
        llvm::Value* done = f_.b.CreateAnd(count, f_.i64(-2 * piece));
        f_.if_then(has, [&] { in_parts(piece, done); });
      }
    });
  }

  /// The last block may have more vectors than the others, and registers for the sums of fewer rows.
  int64_t rows_at_once(const ColumnBlock& block) const {
    if (!block.last || s_.kernel.schedule.rows > 1) return s_.tile.rows;
    size_t vectors = 1;
    for (uint32_t g = 0; g < s_.groups.size(); ++g) vectors = std::max(vectors, sum_vectors(g, block).size());
    const size_t parts = s_.tile.parts;
    return std::min(s_.tile.rows, rows_that_fit((vectors + parts - 1) / parts, f_.target));
  }

  using LoadVector = std::function<llvm::Value*(const SumVector&, const Values& at, llvm::Value* k)>;
  using LoadScalar = std::function<llvm::Value*(unsigned row, const Values& at, llvm::Value* k)>;

  bool has_packed(uint32_t group) const {
    const Schedule& schedule = s_.kernel.schedule;
    return blocked_ || (group < schedule.packed.size() && schedule.packed[group] != kNone);
  }

  std::vector<SumVector> sum_vectors(uint32_t group, const ColumnBlock& block) const {
    size_t accs = s_.groups[group].accs.size();
    ColumnBlock run = block;
    if (has_packed(group) && !t_.in_outputs) run.width *= static_cast<int64_t>(std::exchange(accs, 1));
    std::vector<SumVector> all;
    for (size_t a = 0; a < accs; ++a)
      for (const ColumnVector& v : column_vectors(s_, run)) all.push_back({a, v});
    return all;
  }

  void direct_tile(const TilePlace& place, uint32_t group, unsigned rows, llvm::Value* done) {
    const GemmGroup& g = s_.groups[group];
    LoadVector right = [&](const SumVector& v, const Values& at, llvm::Value*) {
      return load_right(f_, s_, g.accs[v.acc], at, place.block, v.columns);
    };
    if (has_packed(group)) {
      const LoadVector in_place = packed_right(g, f_.base(s_.kernel.schedule.packed[group]), place.block,
                                               place.block.first, f_.poly(k_extent(g)));
      right = [=, this, evens = packed_evens(s_.kernel, g)](const SumVector& v, const Values& at,
                                                            llvm::Value* k) {
        return in_place(v, at, packed_term(f_, evens, k));
      };
    }
    llvm::Value* row = f_.add(place.row, done);
    tile(place, place, group, rows, done, f_.i64(0), load_left(g, row), right,
         [&](const Values& init, const auto& add_term) {
           const std::vector<Poly>& dims = s_.k_dims(g);
           if (dims.size() != 1)
             return f_.fold_box(dims, t_.variables(place.at), init,
                                [&](const Values& at, llvm::Value* k, Values sums) {
                                  add_term(at, k, std::span(sums));
                                  return sums;
                                });
           const std::array ahead = {left_ahead(t_, place, g, f_.i64(0)),
                                     has_packed(group) ? packed_ahead(t_, place, group) : Ahead(),
                                     runs_ahead(t_, place, g, row, rows)};
           return fold_terms(group, place.block, rows, f_.poly(dims[0]), init, ahead,
                             [&](llvm::Value* k, std::span<llvm::Value*> sums) {
                               Values at = t_.variables(place.at);
                               at.push_back(k);
                               add_term(at, k, sums);
                             });
         });
  }

  /// `column`: the first one of the block, counted from the first of the packed ones.
  LoadVector packed_right(const GemmGroup& g, llvm::Value* packed, const ColumnBlock& block,
                          llvm::Value* column, llvm::Value* extent) {
    const auto accs = static_cast<int64_t>(g.accs.size());
    llvm::Value* panel = f_.mul(f_.mul(column, extent), f_.i64(accs));
    return [=, this](const SumVector& v, const Values&, llvm::Value* k) {
      llvm::Value* at = f_.add(panel, f_.mul(k, f_.i64(block.width * accs)));
      at = f_.add(at, f_.i64(static_cast<int64_t>(v.acc) * block.width + v.columns.first));
      return f_.b.CreateAlignedLoad(f_.type(s_.dtype(), v.columns.lanes), f_.element(s_.element, packed, at),
                                    s_.align);
    };
  }

  LoadScalar load_left(const GemmGroup& g, llvm::Value* row) {
    return [=, this, &g](unsigned r, const Values& at, llvm::Value*) {
      Values where = at;
      if (s_.column() > 0) where[s_.column() - 1] = f_.add(row, f_.i64(r));
      return last_value(f_, left_nodes(s_, g), Scope{where, -1, 1, nullptr});
    };
  }

  Poly k_extent(const GemmGroup& g) const { return extent_of(s_.k_dims(g)); }

  /// The sums of one group over a run of k, in registers: rows x accumulators x vectors. They start at 0, or,
  /// unless k_start is 0, where the sums in memory stand; partial sums always start at 0, as blocks have all
  /// of their terms. They end in `to`.
  template <class FoldK>
  void tile(const TilePlace& place, const TilePlace& to, uint32_t group, unsigned rows, llvm::Value* done,
            llvm::Value* k_start, const LoadScalar& left, const LoadVector& right, const FoldK& fold_k) {
    const std::vector<SumVector> all = sum_vectors(group, place.block);
    for (size_t part = 0, parts = s_.tile.parts; part < parts; ++part) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(all.size() * part / parts);
      const auto end = all.begin() + static_cast<std::ptrdiff_t>(all.size() * (part + 1) / parts);
      if (first != end) tile_part(place, to, group, {first, end}, rows, done, k_start, left, right, fold_k);
    }
  }

  template <class FoldK>
  void tile_part(const TilePlace& place, const TilePlace& to, uint32_t group,
                 std::span<const SumVector> vectors, unsigned rows, llvm::Value* done, llvm::Value* k_start,
                 const LoadScalar& left, const LoadVector& right, const FoldK& fold_k) {
    auto type = [&](const SumVector& v) { return f_.type(s_.dtype(), v.columns.lanes); };
    auto for_each_sum = [&](const TilePlace& from, const auto& visit) {
      for (unsigned r = 0; r < rows; ++r)
        for (const SumVector& v : vectors)
          visit(v, t_.sum_at(f_, from, f_.add(done, f_.i64(r)), f_.i64(place.block.width),
                             t_.first_order(group) + v.acc, f_.i64(v.columns.first)));
    };
    Values zeros;
    for (unsigned r = 0; r < rows; ++r)
      for (const SumVector& v : vectors) zeros.push_back(llvm::Constant::getNullValue(type(v)));
    Values init = f_.values_if(f_.b.CreateICmpNE(k_start, f_.i64(0)), zeros, [&] {
      Values sums;
      for_each_sum(place, [&](const SumVector& v, llvm::Value* at) {
        sums.push_back(f_.load(type(v), at, s_.align, sum_mask(place.block, v)));
      });
      return sums;
    });
    auto add_term = [&](const Values& at, llvm::Value* k, std::span<llvm::Value*> sums) {
      Values lefts(rows), rights(vectors.size());
      auto add = [&](unsigned r, size_t i) {
        if (!lefts[r]) lefts[r] = left(r, at, k);
        if (!rights[i]) rights[i] = right(vectors[i], at, k);
        llvm::Value*& sum = sums[r * vectors.size() + i];
        sum = f_.fma(f_.splat(lefts[r], vectors[i].columns.lanes), rights[i], sum);
      };
      // Of the operands, those stay in registers that are fewer (rows_that_fit).
      if (rows < vectors.size())
        for (size_t i = 0; i < vectors.size(); ++i)
          for (unsigned r = 0; r < rows; ++r) add(r, i);
      else
        for (unsigned r = 0; r < rows; ++r)
          for (size_t i = 0; i < vectors.size(); ++i) add(r, i);
    };
    const Values sums = fold_k(init, add_term);
    size_t i = 0;
    for_each_sum(to, [&](const SumVector& v, llvm::Value* at) {
      f_.store(sums[i++], at, s_.align, sum_mask(place.block, v));
    });
  }

  /// What stands beside the output's columns is not the kernel's.
  llvm::Value* sum_mask(const ColumnBlock& block, const SumVector& v) {
    return t_.in_outputs ? mask_of(f_, s_, block, v.columns) : nullptr;
  }

  // ---- Blocks of k and of rows; both operands packed on the way, the left one unless it is read in place.

  void run_blocked(const Values& at) {
    llvm::Value* packed_left = f_.base(s_.kernel.schedule.workspace);
    llvm::Value* packed_right = f_.element(s_.element, packed_left, f_.poly(s_.workspace.left));
    llvm::Value* sums = f_.element(s_.element, packed_right, f_.poly(s_.workspace.right));
    if (s_.blocks.whole_k && !t_.in_outputs) sums = f_.stack(s_.element, t_.sums_of_tile());
    const Interval all{f_.i64(0), f_.poly(t_.rows)};
    auto run_panel = [&](uint32_t group, Interval terms, Interval rows, const ColumnBlock& block) {
      llvm::Value* run = f_.b.CreateNSWSub(terms.end, terms.begin);
      RightPacker(f_, s_, s_.groups[group], packed_right, block.first, run)
          .run_block(block, t_.variables(at), terms.begin, terms.end, f_.i64(0));
      for_tiles(at, rows, block, sums, [&](const TilePlace& place) {
        if (t_.in_outputs)
          prefetch_tile(t_, t_.following(place));  // which begins with its sums
        else if (s_.blocks.whole_k)
          prefetch_tile(t_, place);
        blocked_tile(place, group, terms, packed_left, packed_right);
        if (s_.blocks.whole_k && !t_.in_outputs) finisher_.run(place);
      });
    };
    auto finish = [&](const ColumnBlock& block) {
      for_tiles(at, all, block, sums, [&](const TilePlace& place) { finisher_.run(place); });
    };
    if (s_.blocks.by_columns)
      return for_column_blocks(f_, s_, [&](const ColumnBlock& block) {
        for_terms([&](uint32_t group, Interval terms) { run_panel(group, terms, all, block); });
        if (!t_.ends_in_outputs) finish(block);
      });
    for_terms([&](uint32_t group, Interval terms) {
      const GemmGroup& g = s_.groups[group];
      for_row_blocks([&](Interval rows) {
        if (!left_in_place(s_.kernel, g, f_.target))
          pack_left(f_, s_, g, t_.variables(at), packed_left, rows, terms);
        for_column_blocks(f_, s_, [&](const ColumnBlock& block) { run_panel(group, terms, rows, block); });
      });
    });
    if (!s_.blocks.whole_k && !t_.in_outputs) for_column_blocks(f_, s_, finish);
  }

  /// Blocks of k of each group: at least one, which starts the sums, even of no terms.
  void for_terms(const std::function<void(uint32_t group, Interval terms)>& visit) {
    for (uint32_t group = 0; group < s_.groups.size(); ++group) {
      llvm::Value* extent = f_.poly(s_.k_dims(s_.groups[group])[0]);
      llvm::Value* some = f_.b.CreateSelect(f_.b.CreateICmpSGT(extent, f_.i64(0)), extent, f_.i64(1));
      f_.for_each(f_.i64(0), some, s_.blocks.k, [&](llvm::Value* k0) {
        visit(group, {k0, f_.minimum(extent, f_.add(k0, f_.i64(s_.blocks.k)))});
      });
    }
  }

  /// The tiles of some rows of a block of columns. Their sums stand in the outputs, if the kernel does no
  /// more than to store them; else in `sums`: of all of k those of one tile, of a block of k those of all
  /// tiles, as [column block][row][accumulator][column], or, by columns, of the tiles of one column block.
  void for_tiles(const Values& at, Interval rows, const ColumnBlock& block, llvm::Value* sums,
                 const std::function<void(const TilePlace&)>& visit) {
    t_.for_each(rows, false, [&](llvm::Value* row, int64_t height) {
      TilePlace place =
          t_.in_outputs ? t_.place_in_outputs(at, row, block, rows) : t_.place(at, row, block, rows, sums);
      place.height = height;
      if (!t_.in_outputs && !s_.blocks.whole_k) {
        llvm::Value* line = f_.mul(row, f_.i64(block.width));
        if (!s_.blocks.by_columns) line = f_.add(f_.mul(block.first, f_.poly(t_.rows)), line);
        place.sums = f_.element(s_.element, sums, f_.mul(line, f_.i64(static_cast<int64_t>(t_.accs))));
      }
      visit(place);
    });
  }

  void blocked_tile(const TilePlace& place, uint32_t group, Interval terms, llvm::Value* packed_left,
                    llvm::Value* packed_right_at) {
    const GemmGroup& g = s_.groups[group];
    llvm::Value* run = f_.b.CreateNSWSub(terms.end, terms.begin);
    LoadVector right = packed_right(g, packed_right_at, place.block, f_.i64(0), run);
    const TilePlace to = t_.place_at_end(place, f_.b.CreateICmpSGE(terms.end, f_.poly(s_.k_dims(g)[0])));
    for_tile_rows(place, [&](unsigned rows, llvm::Value* done) {
      LoadScalar left = load_left(g, f_.add(place.row, done));
      if (!left_in_place(s_.kernel, g, f_.target)) {
        llvm::Value* start = f_.add(f_.mul(f_.b.CreateNSWSub(place.row, place.rows.begin), run), done);
        left = [=, this](unsigned r, const Values&, llvm::Value* k) {
          llvm::Value* at = f_.add(f_.add(start, f_.mul(k, f_.i64(s_.tile.rows))), f_.i64(r));
          return f_.b.CreateAlignedLoad(s_.element, f_.element(s_.element, packed_left, at), s_.align);
        };
      }
      const std::array ahead = {left_ahead(t_, place, g, terms.begin), panel_ahead(t_, place, g, terms)};
      tile(place, to, group, rows, done, s_.blocks.whole_k ? f_.i64(0) : terms.begin, left, right,
           [&](const Values& init, const auto& add_term) {
             return fold_terms(group, place.block, rows, run, init, ahead,
                               [&](llvm::Value* k, std::span<llvm::Value*> sums) {
                                 Values at = t_.variables(place.at);
                                 at.push_back(f_.add(terms.begin, k));
                                 add_term(at, k, sums);
                               });
           });
    });
  }

  /// Folds terms 0..end; a tile of several rows asks for memory ahead, a line of terms at a time.
  Values fold_terms(uint32_t group, const ColumnBlock& block, unsigned rows, llvm::Value* end,
                    const Values& init, std::span<const Ahead> ahead,
                    const FunctionBuilder::AddTerm& add_term) {
    const int64_t chains = s_.chains(s_.groups[group]), line = terms_of_line(s_.dtype());
    const size_t vectors = sum_vectors(group, block).size() * static_cast<size_t>(chains);
    if (chains > 1 && rows <= rows_that_fit(vectors, f_.target))
      return f_.sum_in_chains(end, chains, init, add_term);
    const bool any = std::ranges::any_of(ahead, [](const Ahead& a) { return static_cast<bool>(a); });
    const bool asks = any && rows > 1 && rows + 1 >= s_.tile.rows;
    return f_.sum_chain_by_chain(chains, init, [&](int64_t chain, int64_t every, const Values& start) {
      auto fold = [&](llvm::Value* first, llvm::Value* last, const Values& sums) {
        return f_.fold(first, last, every, sums, [&](llvm::Value* k, Values next) {
          add_term(k, std::span(next));
          return next;
        });
      };
      if (!asks) return fold(f_.i64(chain), end, start);
      return f_.fold(f_.i64(chain), end, line * every, start, [&](llvm::Value* first, const Values& sums) {
        // The chains pass the same lines, and each asks for other ones.
        for (const Ahead& ask : ahead)
          if (ask) ask(f_.add(first, f_.i64(chain * (line - 1))));
        return fold(first, f_.minimum(end, f_.add(first, f_.i64(line * every))), sums);
      });
    });
  }

  FunctionBuilder& f_;
  GemmTiles t_;
  const GemmShape& s_;
  TileFinisher finisher_;
  std::vector<Poly> outer_;
  bool blocked_ = false;
};

}  // namespace

void emit_gemm_kernel(FunctionBuilder& f, const Kernel& kernel) { GemmEmitter(f, kernel).run(); }

}  // namespace rondo::codegen
