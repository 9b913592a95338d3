#include "codegen/llvm/gemm_tile.h"

#include "codegen/llvm/emit.h"

namespace rondo::codegen {

using namespace ir;

GemmTiles::GemmTiles(FunctionBuilder& builder, const Kernel& original)
    : f(builder),
      s(builder, original),
      accs(original.accs.size()),
      rows(s.column() > 0 ? s.kernel.dims[s.column() - 1] : Poly(1)),
      in_outputs(sums_in_outputs(s.kernel) && !s.blocks.by_columns),
      ends_in_outputs(sums_in_outputs(s.kernel) && s.blocks.by_columns && s.cut.rest == s.cut.rest_width) {
  for (const GemmGroup& g : s.groups)
    for (uint32_t acc : g.accs) order_.push_back(acc);
}

void GemmTiles::for_each(Interval all, bool at_any_number,
                         const std::function<void(llvm::Value* row, int64_t height)>& visit) const {
  const int64_t whole = s.tile.rows;
  auto tiles = [&](llvm::Value* begin, llvm::Value* end, int64_t step, int64_t height) {
    f.for_each(begin, end, step, [&](llvm::Value* row) { visit(row, height); });
  };
  const bool constant = rows.is_constant();
  // Of a number that is not known, tiles of more than three rows leave too few seldom.
  const bool may_leave_few = at_any_number && whole == 3 && s.tile.few > 0;
  if (constant ? s.tile.lower == 0 : !may_leave_few) return tiles(all.begin, all.end, whole, 0);
  llvm::Value* lower = constant ? f.i64(rows.constant() - (whole - 1) * s.tile.lower) : first_lower(all);
  tiles(all.begin, lower, whole, constant ? whole : 0);
  tiles(lower, all.end, whole - 1, whole - 1);
}

llvm::Value* GemmTiles::first_lower(Interval all) const {
  const int64_t whole = s.tile.rows;
  llvm::Value* count = f.b.CreateNSWSub(all.end, all.begin);
  llvm::Value* tiles = f.divide_up(count, f.i64(whole));
  llvm::Value* lower = f.b.CreateNSWSub(f.mul(tiles, f.i64(whole)), count);
  llvm::Value* any =
      f.b.CreateAnd(f.b.CreateICmpSGE(lower, f.i64(whole - s.tile.few)), f.b.CreateICmpSLE(lower, tiles));
  llvm::Value* first = f.b.CreateNSWSub(all.end, f.mul(lower, f.i64(whole - 1)));
  return f.b.CreateSelect(any, first, all.end);
}

Values GemmTiles::variables(const Values& outer) const {
  Values at = outer;
  at.resize(s.kernel.dims.size(), f.i64(0));
  return at;
}

TilePlace GemmTiles::place(const Values& at, llvm::Value* row, const ColumnBlock& block, Interval all,
                           llvm::Value* sums) const {
  return {at, row, block, all, sums, f.i64(static_cast<int64_t>(accs) * block.width)};
}

TilePlace GemmTiles::place_in_outputs(const Values& at, llvm::Value* row, const ColumnBlock& block,
                                      Interval all) const {
  Values where = variables(at), outputs(accs);
  where[s.column()] = block.first;
  if (s.column() > 0) where[s.column() - 1] = row;
  for (const Store& store : s.kernel.stores)
    outputs[s.kernel.nodes[store.value].acc] =
        f.element(s.element, f.base(store.access.buffer), affine_index(f, store.access, where));
  const Access& output = s.kernel.stores[0].access;
  llvm::Value* next_row = f.poly(s.column() > 0 ? stride_of(output, s.column() - 1) : Poly(0));
  return {at, row, block, all, nullptr, next_row, outputs};
}

TilePlace GemmTiles::place_at_end(const TilePlace& place, llvm::Value* ends) const {
  if (!ends_in_outputs) return place;
  const TilePlace end = place_in_outputs(place.at, place.row, place.block, place.rows);
  TilePlace either = place;
  either.sums = f.b.CreateSelect(ends, end.outputs[0], place.sums);
  either.next_row = f.b.CreateSelect(ends, end.next_row, place.next_row);
  return either;
}

TilePlace GemmTiles::following(TilePlace place) const {
  llvm::Value* next = f.add(place.row, f.i64(place.height > 0 ? place.height : s.tile.rows));
  place.row = f.b.CreateSelect(f.b.CreateICmpSLT(next, place.rows.end), next, place.rows.begin);
  return place;
}

size_t GemmTiles::first_order(uint32_t group) const {
  size_t order = 0;
  for (uint32_t g = 0; g < group; ++g) order += s.groups[g].accs.size();
  return order;
}

llvm::Value* GemmTiles::sum_at(FunctionBuilder& b, const TilePlace& place, llvm::Value* row,
                               llvm::Value* width, size_t order, llvm::Value* column) const {
  llvm::Value* at = b.add(b.mul(row, place.next_row), column);
  if (!place.outputs.empty()) return b.element(s.element, place.outputs[order_[order]], at);
  at = b.add(at, b.mul(width, b.i64(static_cast<int64_t>(order))));
  return b.element(s.element, place.sums, at);
}

Values TileFinisher::Finish::values() {
  Values all;
  visit([&](llvm::Value* v) { all.push_back(v); });
  return all;
}

void TileFinisher::run(const TilePlace& place) {
  FunctionBuilder& caller = t_.f;
  llvm::Value* rows = place.height > 0 ? caller.i64(place.height)
                                       : caller.minimum(caller.b.CreateNSWSub(place.rows.end, place.row),
                                                        caller.i64(t_.s.tile.rows));
  Finish finish{place, caller.i64(place.block.width), caller.b.getInt1(place.block.last), rows};
  // In a function of its own, as LLVM would keep the constants of exp and tanh in registers that the tile
  // needs, all through the loops over k; a tile of one row has registers to spare.
  if (t_.rows == Poly(1)) return finish_rows(caller, finish);
  const Values more = finish.values();
  if (!function_) {
    std::vector<llvm::Type*> types;
    for (llvm::Value* v : more) types.push_back(v->getType());
    FunctionBuilder f(caller.module(), caller.program, caller.target, t_.s.kernel.name + ".finish",
                      caller.loops(), types);
    f.kernel = caller.kernel;
    f.mark_chain();  // of each vector's gates, of which some wait for others
    f.define_shares_of(caller);
    unsigned next = 0;
    finish.visit([&](llvm::Value*& v) { v = f.further_argument(next++); });
    finish_rows(f, finish);
    function_ = f.finish();
  }
  caller.call(function_, more);
}

void TileFinisher::finish_rows(FunctionBuilder& f, const Finish& finish) {
  const GemmShape& s = t_.s;
  const bool named = !s.columns().is_constant();
  llvm::Value* first = finish.place.block.first;
  const int64_t lanes = s.lanes, whole = s.cut.rest / lanes * lanes;
  llvm::Value* vectors_end = f.b.CreateSelect(finish.last, f.i64(whole), f.i64(s.cut.width));
  f.for_each(f.i64(0), finish.rows, 1, [&](llvm::Value* row) {
    f.for_each(f.i64(0), vectors_end, lanes, [&](llvm::Value* v) {
      llvm::Value* mask = named ? f.lanes_below(f.add(first, v), f.poly(s.columns()), s.lanes) : nullptr;
      finish_vector(f, finish, row, v, s.lanes, mask);
    });
    if (whole == s.cut.rest) return;
    const ColumnBlock block{f.i64(s.cut.whole), s.cut.rest_width, true};
    const ColumnVector v = column_vectors(s, block).back();
    f.if_then(finish.last,
              [&] { finish_vector(f, finish, row, f.i64(v.first), v.lanes, mask_of(f, s, block, v)); });
  });
}

void TileFinisher::finish_vector(FunctionBuilder& f, const Finish& finish, llvm::Value* row,
                                 llvm::Value* column, unsigned lanes, llvm::Value* mask) {
  const GemmShape& s = t_.s;
  const TilePlace& place = finish.place;
  Values at = place.at;
  at.resize(s.kernel.dims.size(), f.i64(0));
  at[s.column()] = f.add(place.block.first, column);
  if (s.column() > 0) at[s.column() - 1] = f.add(place.row, row);
  Values accs(t_.accs);
  for (size_t order = 0; order < t_.accs; ++order)
    accs[t_.acc_of(order)] = f.b.CreateAlignedLoad(
        f.type(s.dtype(), lanes), t_.sum_at(f, place, row, finish.width, order, column), s.align);
  const Scope scope{at, s.column(), lanes, mask};
  const NodeValues values(f, s.kernel.nodes, scope, accs);
  for (const Store& store : s.kernel.stores) values.store(store);
}

}  // namespace rondo::codegen
