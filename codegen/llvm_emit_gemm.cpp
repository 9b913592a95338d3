#include <algorithm>
#include <utility>

#include "codegen/llvm_emit.h"
#include "codegen/llvm_pack.h"
#include "codegen/llvm_prefetch.h"
#include "support/error.h"

// The blocks are those of K. Goto and R. van de Geijn, Anatomy of High-Performance Matrix Multiplication,
// 2008, one level further out: a panel of right operands stays in the second-level cache while all rows pass
// it. Unlike there, the sum over k is one chain in every form, so that all forms give the same bits.
namespace rondo::codegen {

using namespace ir;

namespace {

/// Where a tile's operands and sums are.
struct TilePlace {
  Values at;         // variables of the outer rows
  llvm::Value* row;  // the first one
  ColumnBlock block;
  llvm::Value* sums;      // [row][accumulator][column]
  llvm::Value* next_row;  // elements from one row of sums to the next
  Values outputs = {};    // or where the sums of each accumulator stand in the kernel's outputs
};

/// A vector of a row of sums: of one accumulator, or, of packed operands, of several that stand side by side.
struct SumVector {
  size_t acc;  // of the group
  ColumnVector columns;
};

class GemmEmitter {
 public:
  GemmEmitter(FunctionBuilder& f, const Kernel& original)
      : f_(f), s_(f, original), accs_(original.accs.size()) {
    const std::vector<Poly>& dims = s_.kernel.dims;
    outer_.assign(dims.begin(), dims.end() - std::min<int64_t>(2, static_cast<int64_t>(dims.size())));
    if (dims.size() > 1) rows_ = dims[dims.size() - 2];
    for (const GemmGroup& g : s_.groups)
      for (uint32_t acc : g.accs) order_.push_back(acc);
  }

  void run() {
    const Schedule& schedule = s_.kernel.schedule;
    bool one_k = std::ranges::all_of(s_.groups, [&](const GemmGroup& g) { return s_.k_dims(g).size() == 1; });
    blocked_ = schedule.block && !is_packed(s_.kernel) && schedule.workspace != kNone && one_k;
    in_outputs_ = sums_in_outputs(s_.kernel);
    f_.for_box(outer_, [&](const Values& at) { blocked_ ? run_blocked(at) : run_direct(at); });
  }

 private:
  // ---- Tiles over the whole of k, right operands packed before or read where they are.

  void run_direct(const Values& at) {
    llvm::Value* sums = f_.stack(s_.element, tile_sums());
    for_row_blocks([&](llvm::Value* first, llvm::Value* end) {
      for_column_blocks(f_, s_, [&](const ColumnBlock& block) {
        f_.for_each(first, end, s_.tile.rows, [&](llvm::Value* row) {
          TilePlace place = in_outputs_ ? in_outputs(at, row, block) : in_tile(at, row, block, sums);
          prefetch(place);
          for_tile_rows(place, end, [&](unsigned rows, llvm::Value* done) {
            for (uint32_t g = 0; g < s_.groups.size(); ++g) direct_tile(place, g, rows, done);
          });
          if (!in_outputs_) finish_tile(place, end);
        });
      });
    });
  }

  /// Row blocks of about one size, whose left operands stay in the second-level cache while all columns pass.
  void for_row_blocks(const std::function<void(llvm::Value* first, llvm::Value* end)>& visit) {
    llvm::Value* rows = f_.poly(rows_);
    if (rows_.is_constant() && rows_.constant() <= s_.blocks.rows) return visit(f_.i64(0), rows);
    llvm::Value* some = f_.b.CreateSelect(f_.b.CreateICmpSGT(rows, f_.i64(0)), rows, f_.i64(1));
    llvm::Value* count = f_.divide_up(some, f_.i64(s_.blocks.rows));
    llvm::Value* size = f_.mul(tiles_of(f_.divide_up(some, count)), f_.i64(s_.tile.rows));
    f_.for_each(f_.i64(0), count, 1, [&](llvm::Value* block) {
      llvm::Value* first = f_.mul(block, size);
      visit(first, f_.minimum(rows, f_.add(first, size)));
    });
  }

  llvm::Value* tiles_of(llvm::Value* rows) { return f_.divide_up(rows, f_.i64(s_.tile.rows)); }

  /// The rows of one tile: all, or what is left at the end in pieces of constant size.
  void for_tile_rows(const TilePlace& place, llvm::Value* end,
                     const std::function<void(unsigned rows, llvm::Value* done)>& visit) {
    auto whole = static_cast<int64_t>(s_.tile.rows);
    const int64_t most = rows_at_once(place.block);
    auto in_parts = [&](int64_t rows, llvm::Value* done) {
      for (int64_t part = 0, parts = (rows + most - 1) / most; part < parts; ++part) {
        const int64_t first = rows * part / parts, next = rows * (part + 1) / parts;
        visit(static_cast<unsigned>(next - first), f_.add(done, f_.i64(first)));
      }
    };
    int64_t left = rows_.is_constant() ? rows_.constant() % whole : -1;
    if (left == 0) return in_parts(whole, f_.i64(0));
    llvm::Value* count = f_.b.CreateNSWSub(end, place.row);
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
    return std::min(s_.tile.rows, rows_that_fit(vectors, f_.target));
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
    if (has_packed(group) && !in_outputs_) run.width *= static_cast<int64_t>(std::exchange(accs, 1));
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
    if (has_packed(group))
      right = packed_right(g, f_.base(s_.kernel.schedule.packed[group]), place.block, place.block.first,
                           f_.poly(k_extent(g)));
    llvm::Value* row = f_.add(place.row, done);
    tile(place, group, rows, done, f_.i64(0), left_in_place(g, row), right,
         [&](const Values& init, const auto& body) {
           return f_.fold_box(s_.k_dims(g), variables(place.at), init, body);
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

  LoadScalar left_in_place(const GemmGroup& g, llvm::Value* row) {
    return [=, this, &g](unsigned r, const Values& at, llvm::Value*) {
      Values where = at;
      if (s_.column() > 0) where[s_.column() - 1] = f_.add(row, f_.i64(r));
      return last_value(f_, left_nodes(s_, g), Scope{where, -1, 1, nullptr});
    };
  }

  Poly k_extent(const GemmGroup& g) const { return extent_of(s_.k_dims(g)); }

  /// The kernel's variables with those of the tile still open.
  Values variables(const Values& outer) {
    Values at = outer;
    at.resize(s_.kernel.dims.size(), f_.i64(0));
    return at;
  }

  /// A tile whose sums stand together.
  TilePlace in_tile(const Values& at, llvm::Value* row, const ColumnBlock& block, llvm::Value* sums) {
    return {at, row, block, sums, f_.i64(static_cast<int64_t>(accs_) * block.width)};
  }

  /// A tile whose sums stand in the outputs.
  TilePlace in_outputs(const Values& at, llvm::Value* row, const ColumnBlock& block) {
    Values where = variables(at), outputs(accs_);
    where[s_.column()] = block.first;
    if (s_.column() > 0) where[s_.column() - 1] = row;
    for (const Store& s : s_.kernel.stores)
      outputs[s_.kernel.nodes[s.value].acc] =
          f_.element(s_.element, f_.base(s.access.buffer), affine_index(f_, s.access, where));
    const Access& output = s_.kernel.stores[0].access;
    llvm::Value* next_row = f_.poly(s_.column() > 0 ? stride_of(output, s_.column() - 1) : Poly(0));
    return {at, row, block, nullptr, next_row, outputs};
  }

  /// Where the sums of a row and accumulator stand in the tile, whose block has `width` columns.
  llvm::Value* sum_at(FunctionBuilder& f, const TilePlace& place, llvm::Value* row, llvm::Value* width,
                      size_t order, llvm::Value* column) {
    llvm::Value* at = f.add(f.mul(row, place.next_row), column);
    if (!place.outputs.empty()) return f.element(s_.element, place.outputs[order_[order]], at);
    at = f.add(at, f.mul(width, f.i64(static_cast<int64_t>(order))));
    return f.element(s_.element, place.sums, at);
  }

  size_t first_order(uint32_t group) const {
    size_t order = 0;
    for (uint32_t g = 0; g < group; ++g) order += s_.groups[g].accs.size();
    return order;
  }

  /// The sums of one group over a run of k, in registers: rows x accumulators x vectors. They start at 0, or,
  /// unless k_start is 0, where the sums in memory stand.
  template <class FoldK>
  void tile(const TilePlace& place, uint32_t group, unsigned rows, llvm::Value* done, llvm::Value* k_start,
            const LoadScalar& left, const LoadVector& right, const FoldK& fold_k) {
    const std::vector<SumVector> vectors = sum_vectors(group, place.block);
    auto type = [&](const SumVector& v) { return f_.type(s_.dtype(), v.columns.lanes); };
    auto for_each_sum = [&](const auto& visit) {
      for (unsigned r = 0; r < rows; ++r)
        for (const SumVector& v : vectors)
          visit(v, sum_at(f_, place, f_.add(done, f_.i64(r)), f_.i64(place.block.width),
                          first_order(group) + v.acc, f_.i64(v.columns.first)));
    };
    Values zeros;
    for (unsigned r = 0; r < rows; ++r)
      for (const SumVector& v : vectors) zeros.push_back(llvm::Constant::getNullValue(type(v)));
    Values init = f_.values_if(f_.b.CreateICmpNE(k_start, f_.i64(0)), zeros, [&] {
      Values sums;
      for_each_sum([&](const SumVector& v, llvm::Value* at) {
        sums.push_back(f_.load(type(v), at, s_.align, sum_mask(place.block, v)));
      });
      return sums;
    });
    Values sums = fold_k(init, [&](const Values& at, llvm::Value* k, const Values& carried) {
      Values next = carried, lefts(rows), rights(vectors.size());
      auto add = [&](unsigned r, size_t i) {
        if (!lefts[r]) lefts[r] = left(r, at, k);
        if (!rights[i]) rights[i] = right(vectors[i], at, k);
        llvm::Value*& sum = next[r * vectors.size() + i];
        sum = f_.fma(f_.splat(lefts[r], vectors[i].columns.lanes), rights[i], sum);
      };
      // Of the operands, those stay in registers that are fewer (rows_that_fit).
      if (rows < vectors.size())
        for (size_t i = 0; i < vectors.size(); ++i)
          for (unsigned r = 0; r < rows; ++r) add(r, i);
      else
        for (unsigned r = 0; r < rows; ++r)
          for (size_t i = 0; i < vectors.size(); ++i) add(r, i);
      return next;
    });
    size_t i = 0;
    for_each_sum([&](const SumVector& v, llvm::Value* at) {
      f_.store(sums[i++], at, s_.align, sum_mask(place.block, v));
    });
  }

  /// What stands beside the output's columns is not the kernel's.
  llvm::Value* sum_mask(const ColumnBlock& block, const SumVector& v) {
    return in_outputs_ ? mask_of(f_, s_, block, v.columns) : nullptr;
  }

  /// Starts the traffic of a tile's last step with its first, so that neither waits for memory.
  void prefetch(const TilePlace& place) {
    if (s_.column() == 0 || rows_ == Poly(1)) return;
    Values at = variables(place.at);
    at[s_.column()] = place.block.first;
    at[s_.column() - 1] = place.row;
    prefetch_tile(f_, s_.kernel, at, s_.tile.rows, place.block.width);
  }

  /// Starts the traffic of the next tile of rows, which begins with its sums.
  void prefetch_next(TilePlace place) {
    llvm::Value* last = f_.b.CreateNSWSub(f_.poly(rows_), f_.i64(1));
    place.row = f_.minimum(f_.add(place.row, f_.i64(s_.tile.rows)), last);
    prefetch(place);
  }

  /// The kernel's own nodes and stores for `rows` rows whose sums are complete. In a function of its own, as
  /// LLVM would keep the constants of exp and tanh in registers that the tile needs, all through the loops
  /// over k; a tile of one row has registers to spare.
  void finish_rows(const TilePlace& place, llvm::Value* rows) {
    Finish finish{place, f_.i64(place.block.width), f_.b.getInt1(place.block.last), rows};
    if (rows_ == Poly(1)) return finish_rows(f_, finish);
    const Values more = finish.values();
    if (!finisher_) {
      std::vector<llvm::Type*> types;
      for (llvm::Value* v : more) types.push_back(v->getType());
      FunctionBuilder f(f_.module(), f_.program, f_.target, s_.kernel.name + ".finish", f_.loops(), types);
      f.kernel = f_.kernel;
      f.define_shares_of(f_);
      unsigned next = 0;
      finish.visit([&](llvm::Value*& v) { v = f.further_argument(next++); });
      finish_rows(f, finish);
      finisher_ = f.finish();
    }
    f_.call(finisher_, more);
  }

  /// What the function that finishes rows takes.
  struct Finish {
    TilePlace place;
    llvm::Value* width;  // of the block, which is not known while the function is emitted
    llvm::Value* last;
    llvm::Value* rows;

    template <class Visit>
    void visit(const Visit& visit) {
      for (llvm::Value*& v : place.at) visit(v);
      for (llvm::Value** v : {&place.row, &place.block.first, &place.sums, &place.next_row}) visit(*v);
      for (llvm::Value** v : {&width, &last, &rows}) visit(*v);
    }
    Values values() {
      Values all;
      visit([&](llvm::Value* v) { all.push_back(v); });
      return all;
    }
  };

  void finish_rows(FunctionBuilder& f, const Finish& finish) {
    const bool named = !s_.columns().is_constant();
    llvm::Value* first = finish.place.block.first;
    const int64_t lanes = s_.lanes, whole = s_.cut.rest / lanes * lanes;
    llvm::Value* vectors_end = f.b.CreateSelect(finish.last, f.i64(whole), f.i64(s_.cut.width));
    f.for_each(f.i64(0), finish.rows, 1, [&](llvm::Value* r) {
      f.for_each(f.i64(0), vectors_end, lanes, [&](llvm::Value* v) {
        llvm::Value* mask = named ? f.lanes_below(f.add(first, v), f.poly(s_.columns()), s_.lanes) : nullptr;
        finish_vector(f, finish, r, v, s_.lanes, mask);
      });
      if (whole == s_.cut.rest) return;
      const ColumnBlock block{f.i64(s_.cut.whole), s_.cut.rest_width, true};
      const ColumnVector v = column_vectors(s_, block).back();
      f.if_then(finish.last,
                [&] { finish_vector(f, finish, r, f.i64(v.first), v.lanes, mask_of(f, s_, block, v)); });
    });
  }

  void finish_vector(FunctionBuilder& f, const Finish& finish, llvm::Value* r, llvm::Value* v, unsigned lanes,
                     llvm::Value* mask) {
    const TilePlace& place = finish.place;
    Values at = place.at;
    at.resize(s_.kernel.dims.size(), f.i64(0));
    at[s_.column()] = f.add(place.block.first, v);
    if (s_.column() > 0) at[s_.column() - 1] = f.add(place.row, r);
    Values accs(accs_);
    for (size_t order = 0; order < accs_; ++order)
      accs[order_[order]] = f.b.CreateAlignedLoad(f.type(s_.dtype(), lanes),
                                                  sum_at(f, place, r, finish.width, order, v), s_.align);
    const Scope scope{at, s_.column(), lanes, mask};
    const NodeValues values(f, s_.kernel.nodes, scope, accs);
    for (const Store& store : s_.kernel.stores) values.store(store);
  }

  // ---- Blocks of k and of rows; both operands packed on the way, the left one where it is not read in runs.

  void run_blocked(const Values& at) {
    llvm::Value* packed_left = f_.base(s_.kernel.schedule.workspace);
    llvm::Value* packed_right = f_.element(s_.element, packed_left, f_.poly(s_.workspace.left));
    llvm::Value* sums = f_.element(s_.element, packed_right, f_.poly(s_.workspace.right));
    if (s_.blocks.whole_k && !in_outputs_) sums = f_.stack(s_.element, tile_sums());
    for (uint32_t group = 0; group < s_.groups.size(); ++group) {
      const GemmGroup& g = s_.groups[group];
      llvm::Value* extent = f_.poly(s_.k_dims(g)[0]);
      // At least one block, which starts the sums, even of no terms.
      llvm::Value* some = f_.b.CreateSelect(f_.b.CreateICmpSGT(extent, f_.i64(0)), extent, f_.i64(1));
      f_.for_each(f_.i64(0), some, s_.blocks.k, [&](llvm::Value* k0) {
        llvm::Value* k1 = f_.minimum(extent, f_.add(k0, f_.i64(s_.blocks.k)));
        for_row_blocks([&](llvm::Value* first, llvm::Value* end) {
          if (!left_in_runs(s_.kernel, g))
            pack_left(f_, s_, g, variables(at), packed_left, {first, end}, {k0, k1});
          for_column_blocks(f_, s_, [&](const ColumnBlock& block) {
            RightPacker(f_, s_, g, packed_right, block.first, f_.b.CreateNSWSub(k1, k0))
                .run_block(block, variables(at), k0, k1, f_.i64(0));
            for_tiles(at, first, end, block, sums, [&](const TilePlace& place) {
              if (in_outputs_)
                prefetch_next(place);
              else if (s_.blocks.whole_k)
                prefetch(place);
              blocked_tile(place, group, {first, end, k0, k1}, packed_left, packed_right);
              if (s_.blocks.whole_k && !in_outputs_) finish_tile(place, end);
            });
          });
        });
      });
    }
    if (s_.blocks.whole_k || in_outputs_) return;
    for_column_blocks(f_, s_, [&](const ColumnBlock& block) {
      for_tiles(at, f_.i64(0), f_.poly(rows_), block, sums,
                [&](const TilePlace& place) { finish_tile(place, f_.poly(rows_)); });
    });
  }

  /// The tiles of rows [first, end) of a block of columns. Their sums stand in the outputs, if the kernel
  /// does no more than to store them; else in `sums`: of all of k those of one tile, of a block of k those of
  /// all tiles, as [column block][row][accumulator][column].
  void for_tiles(const Values& at, llvm::Value* first, llvm::Value* end, const ColumnBlock& block,
                 llvm::Value* sums, const std::function<void(const TilePlace&)>& visit) {
    f_.for_each(first, end, s_.tile.rows, [&](llvm::Value* row) {
      if (in_outputs_) return visit(in_outputs(at, row, block));
      TilePlace place = in_tile(at, row, block, sums);
      if (!s_.blocks.whole_k) {
        llvm::Value* line = f_.add(f_.mul(block.first, f_.poly(rows_)), f_.mul(row, f_.i64(block.width)));
        place.sums = f_.element(s_.element, sums, f_.mul(line, f_.i64(static_cast<int64_t>(accs_))));
      }
      visit(place);
    });
  }

  void finish_tile(const TilePlace& place, llvm::Value* end) {
    finish_rows(place, f_.minimum(f_.b.CreateNSWSub(end, place.row), f_.i64(s_.tile.rows)));
  }

  uint64_t tile_sums() const {
    return static_cast<uint64_t>(s_.tile.rows) * accs_ * static_cast<uint64_t>(s_.cut.widest());
  }

  struct Block {
    llvm::Value *first, *end, *k0, *k1;  // rows [first, end), terms [k0, k1)
  };

  void blocked_tile(const TilePlace& place, uint32_t group, const Block& block, llvm::Value* packed_left,
                    llvm::Value* packed_right_at) {
    const GemmGroup& g = s_.groups[group];
    llvm::Value* run = f_.b.CreateNSWSub(block.k1, block.k0);
    LoadVector right = packed_right(g, packed_right_at, place.block, f_.i64(0), run);
    for_tile_rows(place, block.end, [&](unsigned rows, llvm::Value* done) {
      LoadScalar left = left_in_place(g, f_.add(place.row, done));
      if (!left_in_runs(s_.kernel, g)) {
        llvm::Value* start = f_.add(f_.mul(f_.b.CreateNSWSub(place.row, block.first), run), done);
        left = [=, this](unsigned r, const Values&, llvm::Value* k) {
          llvm::Value* at = f_.add(f_.add(start, f_.mul(k, f_.i64(s_.tile.rows))), f_.i64(r));
          return f_.b.CreateAlignedLoad(s_.element, f_.element(s_.element, packed_left, at), s_.align);
        };
      }
      tile(place, group, rows, done, s_.blocks.whole_k ? f_.i64(0) : block.k0, left, right,
           [&](const Values& init, const auto& body) {
             return f_.fold(f_.i64(0), run, 1, init, [&](llvm::Value* k, const Values& carried) {
               Values at = variables(place.at);
               at.push_back(f_.add(block.k0, k));
               return body(at, k, carried);
             });
           });
    });
  }

  FunctionBuilder& f_;
  GemmShape s_;
  size_t accs_;
  std::vector<Poly> outer_;
  Poly rows_ = 1;
  std::vector<uint32_t> order_;  // accumulators in the order of the groups
  bool blocked_ = false;
  bool in_outputs_ = false;  // whether sums stand there from the start
  llvm::Function* finisher_ = nullptr;
};

}  // namespace

void emit_gemm_kernel(FunctionBuilder& f, const Kernel& kernel) { GemmEmitter(f, kernel).run(); }

}  // namespace rondo::codegen
