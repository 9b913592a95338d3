#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>
#include <span>

#include "codegen/llvm_emit.h"
#include "codegen/simplify_kernel.h"
#include "support/error.h"

namespace rondo::codegen {

using namespace ir;

namespace {

// The order of a sum in lanes is defined with this many, whatever the target.
constexpr unsigned kSumLanes = 16;

/// Vectors of a copy that is no loop.
constexpr int64_t kShortCopy = 4;

bool any_double(const Kernel& kernel) {
  auto wide = [](const Nodes& nodes) {
    return std::ranges::any_of(nodes, [](const Node& n) { return n.dtype == DType::f64; });
  };
  return wide(kernel.nodes) ||
         std::ranges::any_of(kernel.accs, [&](const Accumulator& a) { return wide(a.nodes); });
}

}  // namespace

void for_lanes(FunctionBuilder& f, const Poly& extent, std::span<const unsigned> widths,
               const std::function<void(llvm::Value* first, unsigned lanes, llvm::Value* mask)>& visit) {
  llvm::Value* end = f.poly(extent);
  llvm::Value* done = f.i64(0);
  for (unsigned lanes : widths) {
    llvm::Value* whole = f.b.CreateAnd(end, f.i64(-static_cast<int64_t>(lanes)));
    f.for_each(done, whole, lanes, [&](llvm::Value* first) { visit(first, lanes, nullptr); });
    done = whole;
  }
  unsigned lanes = widths.back();
  if (lanes == 1) return;
  f.if_then(f.b.CreateICmpSLT(done, end), [&] { visit(done, lanes, f.lanes_below(done, end, lanes)); });
}

unsigned full_lanes(const Kernel& kernel) {
  const unsigned lanes = any_double(kernel) ? 8 : 16;
  const Poly& columns = kernel.dims.back();
  if (!columns.is_constant()) return lanes;
  auto extent = static_cast<uint64_t>(std::max<int64_t>(columns.constant(), 1));
  return static_cast<unsigned>(std::min<uint64_t>(lanes, std::bit_ceil(extent)));
}

namespace {

class VectorEmitter {
 public:
  VectorEmitter(FunctionBuilder& f, const Kernel& kernel)
      : f_(f), kernel_(kernel), rank_(kernel.dims.size()) {}

  void run() {
    if (rank_ == 0 || reduces_in_lanes() || stores_may_meet())
      return f_.for_box(kernel_.dims, [&](const Values& at) { emit_point({at, -1, 1, nullptr}); });
    std::vector<Poly> outer(kernel_.dims.begin(), kernel_.dims.end() - 1);
    f_.for_box(outer, [&](const Values& at) { emit_columns(at); });
  }

 private:
  /// Sums in lanes, and maxima over elements that are consecutive along the reduced dim but not along the
  /// kernel's.
  bool reduces_in_lanes() const {
    for (const Accumulator& a : kernel_.accs) {
      if (a.lanes) return true;
      if (a.kind == AccKind::sum) continue;
      for (const Node& n : a.nodes) {
        if (n.op != ScalarOp::load) continue;
        Poly stride = stride_of(n.access, rank_ - 1);
        if (!stride.is_zero() && stride != Poly(1)) return true;
        if (n.access.row != kNone && varies_with(a.nodes, n.access.row, rank_ - 1)) return true;
      }
    }
    return false;
  }

  /// Whether an ordered store may address one element from several lanes.
  bool stores_may_meet() const {
    for (const Store& s : kernel_.stores) {
      if (!s.ordered()) continue;
      if (stride_of(s.access, rank_ - 1) != Poly(1)) return true;
      if (s.access.row != kNone && varies_with(kernel_.nodes, s.access.row, rank_ - 1)) return true;
    }
    return false;
  }

  void emit_columns(const Values& outer) {
    const unsigned lanes = full_lanes(kernel_);
    auto visit = [&](llvm::Value* first, unsigned width, llvm::Value* mask) {
      Values at = outer;
      at.push_back(first);
      emit_point({at, static_cast<int>(rank_ - 1), width, mask});
    };
    if (is_short_copy(lanes)) {
      for (int64_t first = 0; first < kernel_.dims.back().constant(); first += lanes)
        visit(f_.i64(first), lanes, nullptr);
      return;
    }
    // Accumulators take several vectors at once: more than one chain of additions, and longer runs in each
    // row.
    std::vector<unsigned> widths = {lanes};
    if (!kernel_.accs.empty() && lanes >= 8) widths.insert(widths.begin(), vectors_at_once(lanes) * lanes);
    for_lanes(f_, kernel_.dims.back(), widths, visit);
  }

  /// Vectors of columns that accumulators take at once: so many that half of the registers hold them all.
  unsigned vectors_at_once(unsigned lanes) const {
    const unsigned bytes = lanes * static_cast<unsigned>(size_of(kernel_.accs[0].dtype));
    const unsigned registers =
        static_cast<unsigned>(f_.target.vector_registers * f_.target.vector_bytes) / bytes;
    return std::clamp<unsigned>(registers / 2 / static_cast<unsigned>(kernel_.accs.size()), 1, 4);
  }

  void emit_point(const Scope& scope) {
    const std::vector<Accumulator>& all = kernel_.accs;
    Values accs;
    while (accs.size() < all.size()) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(accs.size());
      const bool lanes = in_lanes(*first, scope);
      const auto end = std::find_if(first, all.end(), [&](const Accumulator& a) {
        return a.dims != first->dims || in_lanes(a, scope) != lanes;
      });
      const std::span<const Accumulator> walk(first, end);
      std::ranges::copy(lanes ? accumulate_lanes(walk, scope) : accumulate(walk, scope),
                        std::back_inserter(accs));
    }
    NodeValues values(f_, kernel_.nodes, scope, accs);
    for (const Store& s : kernel_.stores) values.store(s);
  }

  static bool in_lanes(const Accumulator& acc, const Scope& scope) {
    return acc.lanes || (scope.lanes == 1 && acc.kind != AccKind::sum && !acc.dims.empty());
  }

  /// Few vectors, stored as they are loaded: without a loop LLVM takes what was just computed from registers.
  bool is_short_copy(unsigned lanes) const {
    const Poly& columns = kernel_.dims.back();
    return kernel_.accs.empty() && kernel_.nodes.size() == 1 && columns.is_constant() &&
           columns.constant() % lanes == 0 && columns.constant() <= kShortCopy * lanes;
  }

  // The state of an accumulator: its sum, its maximum, or the maximum and its index.
  Values initial(const Accumulator& acc, unsigned lanes) {
    llvm::Type* type = f_.type(acc.dtype, lanes);
    if (acc.kind == AccKind::sum) return {llvm::Constant::getNullValue(type)};
    llvm::Value* least = is_float(acc.dtype) ? llvm::ConstantFP::getInfinity(type, true)
                                             : static_cast<llvm::Value*>(llvm::ConstantInt::getSigned(
                                                   type, std::numeric_limits<int32_t>::min()));
    if (acc.kind == AccKind::max) return {least};
    return {least, llvm::Constant::getNullValue(f_.type(DType::i32, lanes))};
  }

  llvm::Value* greater(DType dtype, llvm::Value* x, llvm::Value* y) {
    return is_float(dtype) ? f_.b.CreateFCmpOLT(y, x) : f_.b.CreateICmpSLT(y, x);
  }

  llvm::Value* plus(DType dtype, llvm::Value* x, llvm::Value* y) {
    return is_float(dtype) ? f_.b.CreateFAdd(x, y) : f_.b.CreateAdd(x, y);
  }

  /// The state after one more term at the scope's point; `index` is the term's number.
  Values step(const Accumulator& acc, const Scope& scope, const Values& state, llvm::Value* index) {
    NodeValues values(f_, acc.nodes, scope);
    Values next = state;
    if (acc.kind == AccKind::sum) {
      const Node& n = acc.nodes[acc.value];
      bool fused = n.op == ScalarOp::mul && is_float(acc.dtype) &&
                   acc.nodes[n.args[0]].op == ScalarOp::load && acc.nodes[n.args[1]].op == ScalarOp::load;
      next[0] = fused ? f_.fma(values.lanes(n.args[0]), values.lanes(n.args[1]), state[0])
                      : plus(acc.dtype, state[0], values.lanes(acc.value));
    } else {
      llvm::Value* term = values.lanes(acc.value);
      llvm::Value* better = greater(acc.dtype, term, state[0]);
      next[0] = f_.b.CreateSelect(better, term, state[0]);
      if (acc.kind == AccKind::argmax)
        next[1] = f_.b.CreateSelect(better, f_.splat(index, scope.lanes), state[1]);
    }
    return next;
  }

  // Several accumulators over the same dims take one walk: their states stand one after the other.
  using Walk = std::span<const Accumulator>;

  Values initial(Walk accs, unsigned lanes) {
    Values states;
    for (const Accumulator& acc : accs) std::ranges::copy(initial(acc, lanes), std::back_inserter(states));
    return states;
  }

  /// The state of each.
  static std::vector<Values> parted(Walk accs, const Values& states) {
    std::vector<Values> parts;
    auto next = states.begin();
    for (const Accumulator& acc : accs) {
      const auto end = next + (acc.kind == AccKind::argmax ? 2 : 1);
      parts.emplace_back(next, end);
      next = end;
    }
    return parts;
  }

  Values step(Walk accs, const Scope& scope, const Values& states, llvm::Value* index) {
    const std::vector<Values> parts = parted(accs, states);
    Values next;
    for (size_t a = 0; a < accs.size(); ++a)
      std::ranges::copy(step(accs[a], scope, parts[a], index), std::back_inserter(next));
    return next;
  }

  Values accumulate(Walk accs, const Scope& scope) {
    const Values states =
        f_.fold_box(accs[0].dims, scope.variables, initial(accs, scope.lanes),
                    [&](const Values& variables, llvm::Value* number, const Values& carried) {
                      Scope inner = scope;
                      inner.variables = variables;
                      return step(accs, inner, carried, f_.b.CreateTrunc(number, f_.b.getInt32Ty()));
                    });
    Values results;
    for (const Values& state : parted(accs, states)) results.push_back(state.back());
    return results;
  }

  /// The last reduced dim in lanes; what is left of it, with a mask.
  Values accumulate_lanes(Walk accs, const Scope& scope) {
    const std::vector<Poly>& dims = accs[0].dims;
    std::vector<Poly> outer(dims.begin(), dims.end() - 1);
    llvm::Value* extent = f_.poly(dims.back());
    llvm::Value* whole = f_.b.CreateAnd(extent, f_.i64(-static_cast<int64_t>(kSumLanes)));
    int lane_variable = static_cast<int>(rank_ + outer.size());
    auto fold_last = [&](const Values& variables, llvm::Value* number, const Values& carried) {
      auto advance = [&](llvm::Value* i, llvm::Value* mask, const Values& before) {
        Scope inner{variables, lane_variable, kSumLanes, mask};
        inner.variables.push_back(i);
        llvm::Value* index = f_.b.CreateTrunc(f_.add(f_.mul(number, extent), i), f_.b.getInt32Ty());
        Values next = step(accs, inner, before, numbered(index));
        for (size_t v = 0; mask && v < next.size(); ++v)
          next[v] = f_.b.CreateSelect(mask, next[v], before[v]);
        return next;
      };
      Values sums = f_.fold(f_.i64(0), whole, kSumLanes, carried, [&](llvm::Value* i, const Values& before) {
        return advance(i, nullptr, before);
      });
      return f_.fold(whole, extent, kSumLanes, sums, [&](llvm::Value* i, const Values& before) {
        return advance(i, f_.lanes_below(i, extent, kSumLanes), before);
      });
    };
    const Values states = f_.fold_box(outer, scope.variables, initial(accs, kSumLanes), fold_last);
    const std::vector<Values> parts = parted(accs, states);
    Values results;
    for (size_t a = 0; a < accs.size(); ++a) results.push_back(combine(accs[a], parts[a]));
    return results;
  }

  llvm::Value* numbered(llvm::Value* first) {
    std::vector<uint32_t> numbers(kSumLanes);
    for (unsigned l = 0; l < kSumLanes; ++l) numbers[l] = l;
    return f_.b.CreateAdd(f_.splat(first, kSumLanes),
                          llvm::ConstantDataVector::get(f_.b.getContext(), numbers));
  }

  /// Adds lane l + width to lane l for width 8, 4, 2, 1; of maxima takes the greater, of equal ones that with
  /// the lower index.
  llvm::Value* combine(const Accumulator& acc, Values state) {
    for (unsigned width = kSumLanes / 2; width > 0; width /= 2) {
      Values low, high;
      for (llvm::Value* v : state) {
        low.push_back(f_.part(v, 0, width));
        high.push_back(f_.part(v, width, width));
      }
      if (acc.kind == AccKind::sum) {
        state = {plus(acc.dtype, low[0], high[0])};
        continue;
      }
      llvm::Value* better = greater(acc.dtype, high[0], low[0]);
      if (acc.kind == AccKind::argmax) {
        llvm::Value* equal = f_.b.CreateNot(f_.b.CreateOr(better, greater(acc.dtype, low[0], high[0])));
        llvm::Value* first = f_.b.CreateICmpSLT(high[1], low[1]);
        better = f_.b.CreateOr(better, f_.b.CreateAnd(equal, first));
        state[1] = f_.b.CreateSelect(better, high[1], low[1]);
      }
      state[0] = f_.b.CreateSelect(better, high[0], low[0]);
    }
    return state.back();
  }

  FunctionBuilder& f_;
  const Kernel& kernel_;
  size_t rank_;
};

}  // namespace

void emit_vector_kernel(FunctionBuilder& f, const Kernel& original) {
  Kernel kernel = merge_dims(original, false);
  bool ordered = std::ranges::any_of(kernel.stores, [](const Store& s) { return s.ordered(); });
  if (!ordered && !kernel.dims.empty()) kernel = move_dim_last(kernel, best_lane_dim(kernel));
  VectorEmitter(f, kernel).run();
}

}  // namespace rondo::codegen
