#include "codegen/llvm/gemm_sums.h"

#include <algorithm>
#include <array>
#include <utility>

namespace rondo::codegen {

using namespace ir;

/// The last block may have more vectors than the others, and registers for the sums of fewer rows.
int64_t TileSums::rows_at_once(const ColumnBlock& block) const {
  if (!block.last || s_.kernel.schedule.rows > 1) return s_.tile.rows;
  size_t vectors = 1;
  for (uint32_t g = 0; g < s_.groups.size(); ++g) vectors = std::max(vectors, sum_vectors(g, block).size());
  const size_t parts = s_.tile.parts;
  return std::min(s_.tile.rows, rows_that_fit((vectors + parts - 1) / parts, f_.target));
}

bool TileSums::has_packed(uint32_t group) const {
  const Schedule& schedule = s_.kernel.schedule;
  return blocked_ || (group < schedule.packed.size() && schedule.packed[group] != kNone);
}

std::vector<TileSums::SumVector> TileSums::sum_vectors(uint32_t group, const ColumnBlock& block) const {
  size_t accs = s_.groups[group].accs.size();
  ColumnBlock run = block;
  if (has_packed(group) && !t_.in_outputs) run.width *= static_cast<int64_t>(std::exchange(accs, 1));
  std::vector<SumVector> all;
  for (size_t a = 0; a < accs; ++a)
    for (const ColumnVector& v : column_vectors(s_, run)) all.push_back({a, v});
  return all;
}

void TileSums::add_all(const TilePlace& place, uint32_t group, TileRows rows) const {
  const GemmGroup& g = s_.groups[group];
  llvm::Value* row = f_.add(place.row, rows.done);
  const std::vector<Poly>& dims = s_.k_dims(g);
  const FoldTerms fold = [&](const Values& init, const AddTerm& add_term) {
    if (dims.size() != 1)
      return f_.fold_box(dims, t_.variables(place.at), init,
                         [&](const Values& at, llvm::Value* k, Values sums) {
                           add_term(at, k, std::span(sums));
                           return sums;
                         });
    const std::array ahead = {left_ahead(t_, place, g, f_.i64(0)),
                              has_packed(group) ? packed_ahead(t_, place, group) : Ahead(),
                              runs_ahead(t_, place, g, row, rows.count, ahead_)};
    return fold_terms(group, place.block, rows.count, f_.poly(dims[0]), init, ahead,
                      [&](llvm::Value* k, std::span<llvm::Value*> sums) {
                        Values at = t_.variables(place.at);
                        at.push_back(k);
                        add_term(at, k, sums);
                      });
  };
  add(place, place, rows, {group, f_.i64(0), load_left(g, row), right_of_all(g, group, place.block), fold});
}

void TileSums::add_block(const TilePlace& place, const TilePlace& to, uint32_t group, TileRows rows,
                         const PackedTerms& packed) const {
  const GemmGroup& g = s_.groups[group];
  const Interval terms = packed.terms;
  llvm::Value* run = f_.b.CreateNSWSub(terms.end, terms.begin);
  LoadScalar left = load_left(g, f_.add(place.row, rows.done));
  if (!left_in_place(s_.kernel, g, f_.target)) {
    llvm::Value* start = f_.add(f_.mul(f_.b.CreateNSWSub(place.row, place.rows.begin), run), rows.done);
    left = [=, this](unsigned r, const Values&, llvm::Value* k) {
      llvm::Value* at = f_.add(f_.add(start, f_.mul(k, f_.i64(s_.tile.rows))), f_.i64(r));
      return f_.b.CreateAlignedLoad(s_.element, f_.element(s_.element, packed.left, at), s_.align);
    };
  }
  const std::array ahead = {left_ahead(t_, place, g, terms.begin), panel_ahead(t_, place, g, terms)};
  const FoldTerms fold = [&](const Values& init, const AddTerm& add_term) {
    if (s_.k_dims(g).size() > 1) return fold_runs(group, place, rows.count, terms, init, ahead, add_term);
    return fold_terms(group, place.block, rows.count, run, init, ahead,
                      [&](llvm::Value* k, std::span<llvm::Value*> sums) {
                        Values at = t_.variables(place.at);
                        at.push_back(f_.add(terms.begin, k));
                        add_term(at, k, sums);
                      });
  };
  llvm::Value* k_start = s_.blocks.whole_k ? f_.i64(0) : terms.begin;
  add(place, to, rows,
      {group, k_start, left, packed_right(g, packed.right, place.block, f_.i64(0), run), fold});
}

TileSums::LoadVector TileSums::right_of_all(const GemmGroup& g, uint32_t group,
                                            const ColumnBlock& block) const {
  if (!has_packed(group))
    return [this, &g, &block](const SumVector& v, const Values& at, llvm::Value*) {
      return load_right(f_, s_, g.accs[v.acc], at, block, v.columns);
    };
  llvm::Value* extent = f_.poly(extent_of(s_.k_dims(g)));
  const LoadVector in_place =
      packed_right(g, f_.base(s_.kernel.schedule.packed[group]), block, block.first, extent);
  return [this, in_place, evens = packed_evens(s_.kernel, g)](const SumVector& v, const Values& at,
                                                              llvm::Value* k) {
    return in_place(v, at, packed_term(f_, evens, k));
  };
}

/// `column`: the first one of the block, counted from the first of the packed ones.
TileSums::LoadVector TileSums::packed_right(const GemmGroup& g, llvm::Value* packed, const ColumnBlock& block,
                                            llvm::Value* column, llvm::Value* extent) const {
  const auto accs = static_cast<int64_t>(g.accs.size());
  llvm::Value* panel = f_.mul(f_.mul(column, extent), f_.i64(accs));
  return [=, this](const SumVector& v, const Values&, llvm::Value* k) {
    llvm::Value* at = f_.add(panel, f_.mul(k, f_.i64(block.width * accs)));
    at = f_.add(at, f_.i64(static_cast<int64_t>(v.acc) * block.width + v.columns.first));
    return f_.b.CreateAlignedLoad(f_.type(s_.dtype(), v.columns.lanes), f_.element(s_.element, packed, at),
                                  s_.align);
  };
}

TileSums::LoadScalar TileSums::load_left(const GemmGroup& g, llvm::Value* row) const {
  return [=, this, &g](unsigned r, const Values& at, llvm::Value*) {
    Values where = at;
    if (s_.column() > 0) where[s_.column() - 1] = f_.add(row, f_.i64(r));
    return last_value(f_, left_nodes(s_, g), Scope{where, -1, 1, nullptr});
  };
}

/// In registers: rows x accumulators x vectors. The sums start at 0, or, unless k_start is 0, where the sums
/// in memory stand; partial sums always start at 0, as blocks have all of their terms. They end in `to`.
void TileSums::add(const TilePlace& place, const TilePlace& to, TileRows rows, const Walk& walk) const {
  const std::vector<SumVector> all = sum_vectors(walk.group, place.block);
  for (size_t part = 0, parts = s_.tile.parts; part < parts; ++part) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(all.size() * part / parts);
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(all.size() * (part + 1) / parts);
    if (first != end) add_part(place, to, rows, walk, {first, end});
  }
}

void TileSums::add_part(const TilePlace& place, const TilePlace& to, TileRows rows, const Walk& walk,
                        std::span<const SumVector> vectors) const {
  auto type = [&](const SumVector& v) { return f_.type(s_.dtype(), v.columns.lanes); };
  auto for_each_sum = [&](const TilePlace& from, const auto& visit) {
    for (unsigned r = 0; r < rows.count; ++r)
      for (const SumVector& v : vectors)
        visit(v, t_.sum_at(f_, from, f_.add(rows.done, f_.i64(r)), f_.i64(place.block.width),
                           t_.first_order(walk.group) + v.acc, f_.i64(v.columns.first)));
  };
  Values zeros;
  for (unsigned r = 0; r < rows.count; ++r)
    for (const SumVector& v : vectors) zeros.push_back(llvm::Constant::getNullValue(type(v)));
  Values init = f_.values_if(f_.b.CreateICmpNE(walk.k_start, f_.i64(0)), zeros, [&] {
    Values sums;
    for_each_sum(place, [&](const SumVector& v, llvm::Value* at) {
      sums.push_back(f_.load(type(v), at, s_.align, sum_mask(place.block, v)));
    });
    return sums;
  });
  auto add_term = [&](const Values& at, llvm::Value* k, std::span<llvm::Value*> sums) {
    Values lefts(rows.count), rights(vectors.size());
    auto add = [&](unsigned r, size_t i) {
      if (!lefts[r]) lefts[r] = walk.left(r, at, k);
      if (!rights[i]) rights[i] = walk.right(vectors[i], at, k);
      llvm::Value*& sum = sums[r * vectors.size() + i];
      sum = f_.fma(f_.splat(lefts[r], vectors[i].columns.lanes), rights[i], sum);
    };
    // Of the operands, those stay in registers that are fewer (rows_that_fit).
    if (rows.count < vectors.size())
      for (size_t i = 0; i < vectors.size(); ++i)
        for (unsigned r = 0; r < rows.count; ++r) add(r, i);
    else
      for (unsigned r = 0; r < rows.count; ++r)
        for (size_t i = 0; i < vectors.size(); ++i) add(r, i);
  };
  const Values sums = walk.fold(init, add_term);
  size_t i = 0;
  for_each_sum(to, [&](const SumVector& v, llvm::Value* at) {
    f_.store(sums[i++], at, s_.align, sum_mask(place.block, v));
  });
}

/// What stands beside the output's columns is not the kernel's.
llvm::Value* TileSums::sum_mask(const ColumnBlock& block, const SumVector& v) const {
  return t_.in_outputs ? mask_of(f_, s_, block, v.columns) : nullptr;
}

/// Folds terms 0..end; a tile of several rows asks for memory ahead, a line of terms at a time.
Values TileSums::fold_terms(uint32_t group, const ColumnBlock& block, unsigned rows, llvm::Value* end,
                            const Values& init, std::span<const Ahead> ahead,
                            const FunctionBuilder::AddTerm& add_term) const {
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

Values TileSums::fold_runs(uint32_t group, const TilePlace& place, unsigned rows, Interval terms,
                           const Values& init, std::span<const Ahead> ahead, const AddTerm& add_term) const {
  llvm::Value* length = f_.i64(terms_of_run(s_.kernel, s_.groups[group]));
  llvm::Value* first = f_.divide(terms.begin, length);
  return f_.fold(first, f_.divide(terms.end, length), 1, init, [&](llvm::Value* run, const Values& start) {
    llvm::Value* done = f_.mul(f_.b.CreateNSWSub(run, first), length);
    std::vector<Ahead> of_run;
    for (const Ahead& ask : ahead)
      if (ask) of_run.emplace_back([&, done](llvm::Value* term) { ask(f_.add(done, term)); });
    return fold_terms(group, place.block, rows, length, start, of_run,
                      [&](llvm::Value* k, std::span<llvm::Value*> sums) {
                        Values at = t_.variables(place.at);
                        at.insert(at.end(), {run, k});
                        add_term(at, f_.add(done, k), sums);
                      });
  });
}

}  // namespace rondo::codegen
