#include <algorithm>
#include <iterator>

#include "codegen/llvm/emit.h"
#include "codegen/llvm/gemm_sums.h"

// The blocks are those of K. Goto and R. van de Geijn, Anatomy of High-Performance Matrix Multiplication,
// 2008, one level further out: a panel of right operands stays in the second-level cache while all rows pass
// it. Unlike there, the sum over k has one order in every form (SumOrder), so that all forms give the same
// bits.
namespace rondo::codegen {

using namespace ir;

namespace {

/// Whether blocks of k are packed on the way.
bool is_blocked(const GemmShape& s, const Target& target) {
  const Schedule& schedule = s.kernel.schedule;
  return schedule.block && !is_packed(s.kernel) && schedule.workspace != kNone &&
         std::ranges::all_of(s.groups,
                             [&](const GemmGroup& g) { return has_blocks_of_terms(s.kernel, g, target); });
}

class GemmEmitter {
 public:
  GemmEmitter(FunctionBuilder& f, const Kernel& original, const std::vector<Run>& ahead)
      : f_(f),
        t_(f, original),
        s_(t_.s),
        blocked_(is_blocked(s_, f.target)),
        sums_(t_, blocked_, ahead),
        finisher_(t_) {}

  void run() {
    if (blocked_ && shares_panels())
      return run_blocked({}, [&](const VisitRows& visit) { for_outer(visit); });
    for_outer([&](const Values& at) {
      blocked_ ? run_blocked(at, [&](const VisitRows& visit) { visit(at); }) : run_direct(at);
    });
  }

 private:
  using VisitRows = std::function<void(const Values& at)>;

  /// The points of the dims beside the rows that tiles pass.
  void for_outer(const VisitRows& visit) {
    const std::vector<Poly>& dims = s_.kernel.dims;
    f_.for_box({dims.begin(), dims.end() - std::min<std::ptrdiff_t>(2, std::ssize(dims))}, visit);
  }

  /// Whether all these points may pass a panel of right operands before the next one is packed: it is the
  /// same for all, and nothing else in the workspace is of one point.
  bool shares_panels() const {
    const size_t outer = s_.kernel.dims.size() - std::min<size_t>(2, s_.kernel.dims.size());
    const bool same = std::ranges::all_of(s_.groups, [&](const GemmGroup& g) {
      return std::ranges::all_of(g.accs, [&](uint32_t acc) {
        const Access& right = *gemm_operands(s_.kernel, acc).right;
        for (size_t d = 0; d < outer; ++d)
          if (!stride_of(right, d).is_zero()) return false;
        return right.row == kNone;
      });
    });
    return same && !packs_left(s_.kernel, f_.target) && !s_.blocks.by_columns &&
           (s_.blocks.whole_k || t_.in_outputs);
  }

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
          for_tile_rows(place, [&](TileRows part) {
            for (uint32_t g = 0; g < s_.groups.size(); ++g) sums_.add_all(place, g, part);
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
  void for_tile_rows(const TilePlace& place, const std::function<void(TileRows)>& visit) {
    auto whole = static_cast<int64_t>(s_.tile.rows);
    const int64_t most = sums_.rows_at_once(place.block);
    auto in_parts = [&](int64_t rows, llvm::Value* done) {
      for (int64_t part = 0, parts = (rows + most - 1) / most; part < parts; ++part) {
        const int64_t first = rows * part / parts, next = rows * (part + 1) / parts;
        visit({static_cast<unsigned>(next - first), f_.add(done, f_.i64(first))});
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

  // ---- Blocks of k and of rows; both operands packed on the way, the left one unless it is read in place.

  /// `at`: the variables beside the rows, or none, and then `for_points` visits all of their points for each
  /// panel.
  void run_blocked(const Values& at, const std::function<void(const VisitRows&)>& for_points) {
    llvm::Value* packed_left = f_.base(s_.kernel.schedule.workspace);
    llvm::Value* packed_right = f_.element(s_.element, packed_left, f_.poly(s_.workspace.left));
    llvm::Value* sums = f_.element(s_.element, packed_right, f_.poly(s_.workspace.right));
    if (s_.blocks.whole_k && !t_.in_outputs) sums = f_.stack(s_.element, t_.sums_of_tile());
    const Interval all{f_.i64(0), f_.poly(t_.rows)};
    auto run_panel = [&](uint32_t group, Interval terms, Interval rows, const ColumnBlock& block) {
      llvm::Value* run = f_.b.CreateNSWSub(terms.end, terms.begin);
      RightPacker(f_, s_, s_.groups[group], packed_right, block.first, run)
          .run_panel(block, t_.variables(at), terms);
      for_points([&](const Values& point) {
        for_tiles(point, rows, block, sums, [&](const TilePlace& place) {
          if (t_.in_outputs)
            prefetch_tile(t_, t_.following(place));  // which begins with its sums
          else if (s_.blocks.whole_k)
            prefetch_tile(t_, place);
          add_block(place, group, {terms, packed_left, packed_right});
          if (s_.blocks.whole_k && !t_.in_outputs) finisher_.run(place);
        });
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
      llvm::Value* extent = f_.poly(extent_of(s_.k_dims(s_.groups[group])));
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

  void add_block(const TilePlace& place, uint32_t group, const PackedTerms& packed) {
    llvm::Value* extent = f_.poly(extent_of(s_.k_dims(s_.groups[group])));
    llvm::Value* ends = f_.b.CreateICmpSGE(packed.terms.end, extent);
    const TilePlace to = t_.place_at_end(place, ends);
    for_tile_rows(place, [&](TileRows rows) { sums_.add_block(place, to, group, rows, packed); });
  }

  FunctionBuilder& f_;
  GemmTiles t_;
  const GemmShape& s_;
  const bool blocked_;
  const TileSums sums_;
  TileFinisher finisher_;
};

}  // namespace

void emit_gemm_kernel(FunctionBuilder& f, const Kernel& kernel, const std::vector<Run>& ahead) {
  GemmEmitter(f, kernel, ahead).run();
}

}  // namespace rondo::codegen
