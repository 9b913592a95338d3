#include "codegen/loops/touches.h"

#include <algorithm>

namespace rondo::codegen {

using namespace ir;

namespace {

class Collector {
 public:
  explicit Collector(LoopProgram& program) : program_(program) { collect(program.stmts, {}); }
  std::map<BufferId, Touches> touches;

 private:
  void collect(std::vector<Stmt>& stmts, const std::vector<Touch::Step>& outer) {
    for (size_t i = 0; i < stmts.size(); ++i) {
      std::vector<Touch::Step> path = outer;
      path.push_back({i, stmts[i].loop.get()});
      if (stmts[i].loop) collect(stmts[i].loop->body, path);
      if (stmts[i].kernel) collect(*stmts[i].kernel, path);
    }
  }

  void collect(Kernel& k, const std::vector<Touch::Step>& path) {
    std::vector<Poly> extents;
    for (const Poly& d : k.dims) extents.push_back(at_most(program_, d));
    auto note = [&](Access& a, const std::vector<Poly>& scope, bool store, bool in_accumulator) {
      touches[a.buffer].push_back({path, &k, &a, scope, store, in_accumulator});
    };
    for (Accumulator& acc : k.accs) {
      std::vector<Poly> scope = extents;
      for (const Poly& d : acc.dims) scope.push_back(at_most(program_, d));
      for (Node& n : acc.nodes)
        if (n.op == ScalarOp::load) note(n.access, scope, false, true);
    }
    for (Node& n : k.nodes)
      if (n.op == ScalarOp::load) note(n.access, extents, false, false);
    for (Store& s : k.stores) note(s.access, extents, true, false);
  }

  LoopProgram& program_;
};

void collect_trips(const LoopProgram& program, const std::vector<Stmt>& stmts, Trips& trips) {
  for (const Stmt& s : stmts) {
    if (!s.loop) continue;
    trips[s.loop->id] = at_most(program, s.loop->trip);
    collect_trips(program, s.loop->body, trips);
  }
}

}  // namespace

std::map<BufferId, Touches> touches_of(LoopProgram& program) { return Collector(program).touches; }

Trips trips_of(const LoopProgram& program) {
  Trips trips;
  collect_trips(program, program.stmts, trips);
  return trips;
}

std::optional<Poly> quotient(const Poly& p, int64_t by) {
  Poly result;
  for (const auto& [names, coefficient] : p.terms()) {
    if (coefficient % by != 0) return std::nullopt;
    result += product(names, coefficient / by);
  }
  return result;
}

std::optional<Access> placed(const Touch& t, const Place& place) {
  Access a = *t.access;
  a.offset += Poly(place.first);
  if (place.width == place.host_width && place.column == 0) return a;
  bool fits = true;
  auto scale = [&](Poly& stride) {
    const std::optional<Poly> rows = quotient(stride, place.width);
    fits = fits && rows;
    if (rows) stride = *rows * Poly(place.host_width);
  };
  const int64_t column = (a.offset.constant() % place.width + place.width) % place.width;
  int64_t last = column;
  for (size_t v = 0; v < a.strides.size(); ++v) {
    Poly& stride = a.strides[v];
    if (quotient(stride, place.width)) {
      scale(stride);
    } else {
      if (!stride.is_constant() || !t.extents[v].is_constant() || stride.constant() < 0) return std::nullopt;
      last += stride.constant() * std::max<int64_t>(t.extents[v].constant() - 1, 0);
    }
  }
  for (auto& [loop, stride] : a.outer) scale(stride);
  if (a.row != kNone) scale(a.row_stride);
  a.offset = a.offset - Poly(column);
  scale(a.offset);
  a.offset += Poly(place.column + column);
  return fits && last < place.width ? std::optional(a) : std::nullopt;
}

ColumnRange columns_of(const Access& a, const std::vector<Poly>& extents, int64_t row) {
  const ColumnRange all{0, row};
  auto moves_rows = [&](const Poly& by) { return quotient(by, row).has_value(); };
  const int64_t first = (a.offset.constant() % row + row) % row;
  if (!moves_rows(a.offset - Poly(first))) return all;
  if (a.row != kNone && !moves_rows(a.row_stride)) return all;
  if (!std::ranges::all_of(a.outer, [&](const auto& o) { return moves_rows(o.second); })) return all;
  int64_t end = first + 1;
  for (size_t v = 0; v < a.strides.size(); ++v) {
    const Poly& stride = a.strides[v];
    if (moves_rows(stride)) continue;
    if (!stride.is_constant() || !extents[v].is_constant() || stride.constant() < 0) return all;
    end += stride.constant() * std::max<int64_t>(extents[v].constant() - 1, 0);
  }
  return end <= row ? ColumnRange{first, end} : all;
}

}  // namespace rondo::codegen
