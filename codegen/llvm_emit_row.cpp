// The row form: one row times small matrices of constant size. The sums of all gates stay in registers from
// their first term to the last node; matrices are read where they are.
#include <algorithm>
#include <bit>

#include "codegen/llvm_emit.h"
#include "codegen/llvm_pack.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Fused multiply-adds that stand one after the other before a loop over the terms comes around again: enough
/// that its branch costs nothing, and few enough for the caches of instructions.
constexpr int64_t kUnrolled = 32;

class RowEmitter {
 public:
  RowEmitter(FunctionBuilder& f, const Kernel& kernel)
      : f_(f),
        kernel_(kernel),
        column_(static_cast<int>(kernel.dims.size()) - 1),
        groups_(gemm_groups(kernel)) {
    native_ = static_cast<unsigned>(f.target.vector_bytes / size_of(kernel.accs[0].dtype));
    // The longest sums first: those of few terms then take no registers while the long ones grow.
    std::ranges::stable_sort(groups_, std::greater(), [&](const GemmGroup& g) { return terms(g); });
  }

  void run() {
    const std::vector<Poly> rows(kernel_.dims.begin(), kernel_.dims.end() - 1);
    f_.for_box(rows, [&](const Values& row) {
      for_lanes(f_, kernel_.dims.back(), widths(),
                [&](llvm::Value* first, unsigned lanes, llvm::Value* mask) {
                  Scope scope{row, column_, lanes, mask};
                  scope.variables.push_back(first);
                  emit_columns(scope);
                });
    });
  }

 private:
  int64_t terms(const GemmGroup& g) const {
    int64_t count = 1;
    for (const Poly& d : kernel_.accs[g.accs[0]].dims) count *= d.constant();
    return count;
  }

  /// As many vectors at once as leave registers for operands, and shorter ones for what is left.
  std::vector<unsigned> widths() const {
    size_t gates = 1;
    for (const GemmGroup& g : groups_) gates = std::max(gates, g.accs.size());
    const unsigned sums = f_.target.vector_registers >= 32 ? 16 : 12;
    const auto columns = static_cast<unsigned>(kernel_.dims.back().constant());
    unsigned width = std::bit_floor(static_cast<unsigned>(sums / gates)) * native_;
    std::vector<unsigned> all = {std::min(width, std::bit_floor(columns))};
    while (all.back() > 4) all.push_back(all.back() / 2);
    return all;
  }

  void emit_columns(const Scope& scope) {
    Values sums(kernel_.accs.size());
    for (const GemmGroup& g : groups_) {
      const Values of_group = accumulate(g, scope);
      for (size_t i = 0; i < g.accs.size(); ++i) sums[g.accs[i]] = of_group[i];
    }
    // Two vectors at a time hide each other's latency, and leave registers for what the nodes compute.
    const unsigned width = std::min(scope.lanes, 2 * native_);
    for (unsigned first = 0; first < scope.lanes; first += width) {
      Scope piece{scope.variables, scope.lane_variable, width, scope.mask};
      piece.variables[column_] = f_.add(scope.variables[column_], f_.i64(first));
      Values accs;
      for (llvm::Value* sum : sums) accs.push_back(width == scope.lanes ? sum : part(sum, first, width));
      const NodeValues values(f_, kernel_.nodes, piece, accs);
      for (const Store& s : kernel_.stores) values.store(s);
    }
  }

  llvm::Value* part(llvm::Value* v, unsigned first, unsigned width) {
    std::vector<int> picks(width);
    for (unsigned l = 0; l < width; ++l) picks[l] = static_cast<int>(first + l);
    return f_.b.CreateShuffleVector(v, picks);
  }

  /// The sums of a group, each one chain over its terms.
  Values accumulate(const GemmGroup& g, const Scope& scope) {
    const Accumulator& acc = kernel_.accs[g.accs[0]];
    std::vector<Poly> outer = acc.dims;
    int64_t extent = 1;  // of the last reduced dim, if there is one
    if (!outer.empty()) {
      extent = outer.back().constant();
      outer.pop_back();
    }
    const auto vectors = std::max<int64_t>(1, scope.lanes / native_);
    const int64_t most = kUnrolled / (vectors * static_cast<int64_t>(g.accs.size()));
    // Twice around at least: LLVM would move terms of straight code apart, gate by gate.
    const int64_t step = std::clamp<int64_t>(most, 1, std::max<int64_t>(1, extent / 2));
    const int64_t whole = extent / step * step;
    Values zeros(g.accs.size(), llvm::Constant::getNullValue(f_.type(acc.dtype, scope.lanes)));
    auto add_terms = [&](const Values& at, llvm::Value* k, int64_t count, Values sums) {
      Values place = at;
      if (!acc.dims.empty()) place.push_back(k);
      for (int64_t i = 0; i < count; ++i) add_term(g, scope, place, i, sums);
      return sums;
    };
    return f_.fold_box(
        outer, scope.variables, zeros, [&](const Values& at, llvm::Value*, const Values& sums) {
          const Values done =
              f_.fold(f_.i64(0), f_.i64(whole), step, sums,
                      [&](llvm::Value* k, const Values& now) { return add_terms(at, k, step, now); });
          return add_terms(at, f_.i64(whole), extent - whole, done);
        });
  }

  /// Adds the term that is `more` terms after the one at the last variable.
  void add_term(const GemmGroup& g, const Scope& scope, const Values& at, int64_t more, Values& sums) {
    auto operand = [&](uint32_t acc, const Access& access, const Scope& where) {
      Nodes nodes = operand_nodes(kernel_, acc, access);
      // In the constant part of an address it costs nothing.
      for (Node& n : nodes) n.access.offset += stride_of(n.access, at.size() - 1) * Poly(more);
      return last_value(f_, nodes, where);
    };
    const Scope point{at, -1, 1, nullptr}, lanes{at, column_, scope.lanes, scope.mask};
    llvm::Value* x =
        f_.splat(operand(g.accs[0], *gemm_operands(kernel_, g.accs[0]).left, point), scope.lanes);
    for (size_t i = 0; i < sums.size(); ++i)
      sums[i] = f_.fma(x, operand(g.accs[i], *gemm_operands(kernel_, g.accs[i]).right, lanes), sums[i]);
  }

  FunctionBuilder& f_;
  const Kernel& kernel_;
  int column_;
  std::vector<GemmGroup> groups_;
  unsigned native_;
};

}  // namespace

void emit_row_kernel(FunctionBuilder& f, const Kernel& kernel) { RowEmitter(f, kernel).run(); }

}  // namespace rondo::codegen
