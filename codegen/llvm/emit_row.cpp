// The row form: one row times matrices of constant size. The sums of all gates stay in registers from their
// first term to the last node; matrices are read where they are, or, in a loop, from packed copies.
#include <algorithm>
#include <bit>
#include <span>

#include "codegen/llvm/emit.h"
#include "codegen/llvm/pack.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Fused multiply-adds that stand one after the other before a loop over the terms comes around again: enough
/// that its branch costs nothing, and few enough for the caches of instructions.
constexpr int64_t kUnrolled = 32;
/// The same where matrices come from the second cache or further: each end of a loop holds up what is loaded
/// ahead.
constexpr int64_t kStreamed = 128;
/// The fewest terms of a sum that waits for its operands rather than for its own steps.
constexpr int64_t kManyTerms = 32;

class RowEmitter {
 public:
  RowEmitter(FunctionBuilder& f, const Kernel& original)
      : f_(f), s_(f, original), native_(static_cast<unsigned>(f.target.vector_bytes / size_of(s_.dtype()))) {
    for (uint32_t g = 0; g < s_.groups.size(); ++g) order_.push_back(g);
    // The longest sums first: those of few terms then take no registers while the long ones grow.
    std::ranges::stable_sort(order_, std::greater(), [&](uint32_t g) { return terms(s_.groups[g]); });
  }

  void run() {
    const std::vector<Poly>& dims = s_.kernel.dims;
    f_.for_box({dims.begin(), dims.end() - 1}, [&](const Values& row) {
      auto visit = [&](llvm::Value* first, unsigned lanes, llvm::Value* mask) {
        Scope scope{row, s_.column(), lanes, mask};
        scope.variables.push_back(first);
        emit_columns(scope);
      };
      if (!is_packed(s_.kernel)) return for_lanes(f_, s_.columns(), row_widths(s_.kernel, f_.target), visit);
      to_and_fro(f_, s_, [&](const ColumnBlock& block) {
        const auto lanes = static_cast<unsigned>(block.width);
        visit(block.first, lanes, mask_of(f_, s_, block, {0, lanes}));
      });
    });
  }

 private:
  bool has_packed(uint32_t group) const {
    const std::vector<BufferId>& packed = s_.kernel.schedule.packed;
    return group < packed.size() && packed[group] != kNone;
  }

  int64_t terms(const GemmGroup& g) const {
    int64_t count = 1;
    for (const Poly& d : s_.k_dims(g)) count *= d.constant();
    return count;
  }

  void emit_columns(const Scope& scope) {
    if (const int64_t late = first_late_term(s_.kernel, f_.target)) return emit_with_late_terms(scope, late);
    Values sums(s_.kernel.accs.size());
    for (uint32_t g : order_) place(accumulate(g, scope), g, sums);
    // Two vectors at a time hide each other's latency, and leave registers for what the nodes compute.
    for_pieces(scope, std::min(scope.lanes, 2 * native_), [&](const Scope& piece, unsigned first) {
      emit_nodes(piece, parts(sums, first, piece.lanes));
    });
  }

  /// The sums of a group to where the kernel's accumulators are.
  void place(const Values& of_group, uint32_t group, Values& sums) const {
    for (size_t i = 0; i < of_group.size(); ++i) sums[s_.groups[group].accs[i]] = of_group[i];
  }

  Values parts(const Values& all, unsigned first, unsigned lanes) {
    Values some;
    for (llvm::Value* v : all) some.push_back(f_.part(v, first, lanes));
    return some;
  }

  /// Visits the columns of a block, so many lanes at a time.
  template <class Visit>
  void for_pieces(const Scope& scope, unsigned lanes, const Visit& visit) {
    for (unsigned first = 0; first < scope.lanes && first < columns(); first += lanes) {
      Scope piece{scope.variables, scope.lane_variable, lanes,
                  scope.mask ? f_.part(scope.mask, first, lanes) : nullptr};
      piece.variables[s_.column()] = f_.add(scope.variables[s_.column()], f_.i64(first));
      visit(piece, first);
    }
  }

  void emit_nodes(const Scope& scope, const Values& sums) {
    const NodeValues values(f_, s_.kernel.nodes, scope, sums);
    for (const Store& s : s_.kernel.stores) values.store(s);
  }

  /// The terms before `late` for all columns, then, vector of columns by vector, the others and the nodes.
  void emit_with_late_terms(const Scope& scope, int64_t late) {
    std::vector<Values> early(s_.groups.size());
    for (uint32_t g : order_)
      if (reads_overwritten(s_.kernel, s_.groups[g]))
        early[g] = add_terms(g, scope, {0, std::min(late, extent(g))}, zeros(g, scope));
    for_pieces(scope, native_, [&](const Scope& piece, unsigned first) {
      Values sums(s_.kernel.accs.size());
      for (uint32_t g : order_) {
        const Range rest = {early[g].empty() ? 0 : std::min(late, extent(g)), extent(g)};
        const Values init = early[g].empty() ? zeros(g, piece) : parts(early[g], first, native_);
        place(f_.join(add_terms(g, piece, rest, init), s_.chains(s_.groups[g])), g, sums);
      }
      emit_nodes(piece, sums);
    });
  }

  int64_t columns() const { return s_.columns().constant(); }

  // ---- Sums

  /// Of the chains of a sum, or of its terms along the last reduced dim: first..end - 1.
  struct Range {
    int64_t first, end;
    int64_t count() const { return end - first; }
  };

  /// Terms along the last reduced dim, if there is one.
  int64_t extent(uint32_t group) const {
    const std::vector<Poly>& dims = s_.k_dims(s_.groups[group]);
    return dims.empty() ? 1 : dims.back().constant();
  }

  /// Partial sums of a group, chain after chain.
  Values zeros(uint32_t group, const Scope& scope) {
    const GemmGroup& g = s_.groups[group];
    return Values(g.accs.size() * static_cast<size_t>(s_.chains(g)),
                  llvm::Constant::getNullValue(f_.type(s_.dtype(), scope.lanes)));
  }

  Values accumulate(uint32_t group, const Scope& scope) {
    return f_.join(add_terms(group, scope, {0, extent(group)}, zeros(group, scope)),
                   s_.chains(s_.groups[group]));
  }

  /// The partial sums of a group with some terms added.
  Values add_terms(uint32_t group, const Scope& scope, Range terms, const Values& init) {
    const GemmGroup& g = s_.groups[group];
    const int64_t chains = s_.chains(g);
    if (!sums_in_turn(s_.kernel, g, std::max(1u, scope.lanes / native_), f_.target))
      return add_terms(group, scope, {0, chains}, terms, init);
    return in_turn(chains, init, [&](int64_t chain, const Values& own) {
      return add_terms(group, scope, {chain, chain + 1}, terms, own);
    });
  }

  /// The sums of chains that grow one after the other. Those that are complete wait in memory: LLVM would
  /// keep them in registers, and spill those that grow.
  template <class Grow>
  Values in_turn(int64_t chains, const Values& init, const Grow& grow) {
    const auto gates = static_cast<std::ptrdiff_t>(init.size()) / chains;
    Values sums, places;
    for (int64_t c = 0; c < chains; ++c) {
      for (llvm::Value* complete : std::span(sums).subspan(places.size())) {
        places.push_back(f_.stack(complete->getType(), 1));
        f_.b.CreateStore(complete, places.back(), true);
      }
      const auto first = init.begin() + c * gates;
      std::ranges::copy(grow(c, Values(first, first + gates)), std::back_inserter(sums));
    }
    for (size_t i = 0; i < places.size(); ++i) sums[i] = f_.b.CreateLoad(sums[i]->getType(), places[i], true);
    return sums;
  }

  /// The partial sums of some chains with some terms added, side by side.
  Values add_terms(uint32_t group, const Scope& scope, Range some, Range range, const Values& init) {
    const GemmGroup& g = s_.groups[group];
    std::vector<Poly> outer = s_.k_dims(g);
    const bool single = outer.empty();
    if (!single) outer.pop_back();
    const auto vectors = std::max<int64_t>(1, scope.lanes / native_);
    const int64_t gates = static_cast<int64_t>(g.accs.size()), chains = s_.chains(g);
    const int64_t most = (in_order(group) ? kStreamed : kUnrolled) / (vectors * gates * some.count());
    // Twice around at least: LLVM would move terms of straight code apart, gate by gate.
    const int64_t again = std::max<int64_t>(1, range.count() / chains / 2);
    const int64_t step = f_.is_chain() && is_straight(s_.kernel, f_.target)
                             ? std::max<int64_t>(1, range.count())
                             : chains * std::clamp<int64_t>(most, 1, again);
    const int64_t whole = range.first + range.count() / step * step;
    return f_.fold_box(
        outer, scope.variables, init, [&](const Values& at, llvm::Value* number, const Values& sums) {
          auto add_run = [&](llvm::Value* k, int64_t terms, Values now) {
            Term term{group, at, f_.add(f_.mul(number, f_.i64(extent(group))), k), 0};
            if (!single) term.at.push_back(k);
            LeftRun run;
            for (; term.more < terms; ++term.more) {
              const int64_t chain = term.more % chains - some.first;
              if (chain < 0 || chain >= some.count()) continue;
              llvm::Value* x = left(term, terms, scope, run);
              add_term(term, x, scope, std::span(now).subspan(chain * gates, gates));
            }
            return now;
          };
          const Values done =
              f_.fold(f_.i64(range.first), f_.i64(whole), step, sums,
                      [&](llvm::Value* k, const Values& now) { return add_run(k, step, now); });
          return add_run(f_.i64(whole), range.end - whole, done);
        });
  }

  /// The term `more` terms after the one at the variables `at`, which is number `number` of its sum: in the
  /// constant part of an address `more` costs nothing.
  struct Term {
    uint32_t group;
    Values at;
    llvm::Value* number;
    int64_t more;
  };

  /// `left`: the left operand, in all lanes.
  void add_term(const Term& term, llvm::Value* left, const Scope& scope, std::span<llvm::Value*> sums) {
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = f_.fma(left, right(term, i, scope), sums[i]);
  }

  /// Left operands that were loaded at once, over and over in a vector.
  struct LeftRun {
    int64_t first = -1;  // the term of the first one
    llvm::Value* vector = nullptr;
  };

  /// The left operand of a term in all lanes; `run` holds those of the terms beside it, if they were loaded.
  llvm::Value* left(const Term& term, int64_t terms, const Scope& scope, LeftRun& run) {
    const uint32_t acc = s_.groups[term.group].accs[0];
    const Access& access = *gemm_operands(s_.kernel, acc).left;
    const int64_t place = term.more % left_run(), first = term.more - place;
    if (!loads_runs(access, term, scope) || first + left_run() > terms)
      return f_.splat(operand(term, acc, access, {term.at, -1, 1, nullptr}), scope.lanes);
    const auto lanes = static_cast<int>(native_), length = static_cast<int>(left_run());
    std::vector<int> picks(native_);
    if (run.first != first) {
      Term begin = term;
      begin.more = first;
      const int steps = static_cast<int>(term.at.size()) - 1;
      llvm::Value* few =
          operand(begin, acc, access, {term.at, steps, static_cast<unsigned>(length), nullptr});
      for (int l = 0; l < lanes; ++l) picks[l] = l % length;
      // Frozen: LLVM would see through both steps, and load each element by itself.
      run = {first, f_.b.CreateFreeze(f_.b.CreateShuffleVector(few, picks))};
    }
    picks.resize(scope.lanes);
    for (int l = 0; l < static_cast<int>(scope.lanes); ++l)
      picks[l] = l % lanes / length * length + static_cast<int>(place);
    return f_.b.CreateShuffleVector(run.vector, picks);
  }

  /// Left operands that are loaded at once: a broadcast of so many bytes takes no more than a load.
  int64_t left_run() const { return 16 / static_cast<int64_t>(size_of(s_.dtype())); }

  /// Whether it pays to load left operands in runs. Each multiply-add loads a vector of its own, and of 64
  /// bytes no core loads more in a cycle than it multiplies: where these come from the first cache, each load
  /// less is time. Of a row that is overwritten the elements come from the call before, whose nodes fill the
  /// schedulers: loads pass them, picks from a vector do not.
  bool loads_runs(const Access& left, const Term& term, const Scope& scope) const {
    return f_.target.vector_bytes == 64 && scope.lanes % native_ == 0 && is_near_row(s_.kernel) &&
           !reads_overwritten(s_.kernel, s_.groups[term.group]) &&
           terms(s_.groups[term.group]) >= kManyTerms && left.row == kNone &&
           stride_of(left, term.at.size() - 1) == Poly(1);
  }

  llvm::Value* operand(const Term& term, uint32_t acc, const Access& access, const Scope& where) {
    Nodes nodes = operand_nodes(s_.kernel, acc, access);
    for (Node& n : nodes) n.access.offset += stride_of(n.access, term.at.size() - 1) * Poly(term.more);
    return last_value(f_, nodes, where);
  }

  /// The right operand of accumulator i of the term's group, in all columns.
  llvm::Value* right(const Term& term, size_t i, const Scope& scope) {
    const GemmGroup& g = s_.groups[term.group];
    if (!has_packed(term.group)) {
      const Scope lanes{term.at, s_.column(), scope.lanes, scope.mask};
      return operand(term, g.accs[i], *gemm_operands(s_.kernel, g.accs[i]).right, lanes);
    }
    const auto gates = static_cast<int64_t>(g.accs.size());
    // Of halves, `number` is even, and the odd terms stand behind all even ones.
    const int64_t evens = packed_evens(s_.kernel, g), columns = scope.lanes * gates;
    const int64_t more = evens > 0 ? term.more / 2 : term.more;
    llvm::Value* number = evens > 0 ? f_.b.CreateLShr(term.number, f_.i64(1)) : term.number;
    llvm::Value* first = f_.add(f_.mul(scope.variables[s_.column()], f_.i64(terms(g) * gates)),
                                f_.mul(number, f_.i64(columns)));
    llvm::Value* block = f_.element(s_.element, f_.base(s_.kernel.schedule.packed[term.group]), first);
    if (evens > 0 && term.more % 2 > 0) {
      const auto bytes = evens * columns * static_cast<int64_t>(size_of(s_.dtype()));
      block = f_.element(f_.b.getInt8Ty(), block, f_.in_register(f_.i64(bytes)));
    }
    const int64_t inside = more * columns + static_cast<int64_t>(i) * scope.lanes;
    // Vector by vector where the order counts: LLVM would take the parts of a longer load in any.
    const unsigned lanes = in_order(term.group) ? std::min(scope.lanes, native_) : scope.lanes;
    Values parts;
    for (unsigned first = 0; first < scope.lanes; first += lanes) {
      parts.push_back(f_.b.CreateAlignedLoad(
          f_.type(s_.dtype(), lanes), f_.element(s_.element, block, f_.i64(inside + first)), s_.align));
      if (in_order(term.group)) f_.keep_order();
    }
    return f_.concat(parts);
  }

  /// Whether operands are loaded in the order in which they stand in memory: prefetchers follow that.
  bool in_order(uint32_t group) const {
    if (!has_packed(group) || f_.target.vector_bytes < 32) return false;
    return f_.target.vector_bytes == 64 || packed_evens(s_.kernel, s_.groups[group]) > 0;
  }

  FunctionBuilder& f_;
  GemmShape s_;
  std::vector<uint32_t> order_;  // of the groups
  unsigned native_;
};

}  // namespace

void emit_row_kernel(FunctionBuilder& f, const Kernel& kernel) { RowEmitter(f, kernel).run(); }

}  // namespace rondo::codegen
