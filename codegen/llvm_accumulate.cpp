#include "codegen/llvm_accumulate.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace rondo::codegen {

using namespace ir;

namespace {

using Walk = std::span<const Accumulator>;

class Accumulation {
 public:
  explicit Accumulation(FunctionBuilder& f) : f_(f) {}

  Values accumulate(Walk accs, const Scope& scope) {
    auto add = [&](const Values& variables, llvm::Value* number, const Values& carried) {
      Scope inner = scope;
      inner.variables = variables;
      return step(accs, inner, carried, f_.b.CreateTrunc(number, f_.b.getInt32Ty()));
    };
    if (accs[0].order == SumOrder::halves) return accumulate_halves(accs, scope, add);
    const Values states = f_.fold_box(accs[0].dims, scope.variables, initial(accs, scope.lanes), add);
    Values results;
    for (const Values& state : parted(accs, states)) results.push_back(state.back());
    return results;
  }

  Values accumulate_lanes(Walk accs, const Scope& scope) {
    const std::vector<Values> parts = parted(accs, walk_lanes(accs, {scope.variables}));
    Values results;
    for (size_t a = 0; a < accs.size(); ++a) results.push_back(combine(accs[a], parts[a]));
    return results;
  }

  Values sum_rows(Walk accs, const Values& first) {
    std::vector<Values> rows;
    for (unsigned r = 0; r < kSumRows; ++r) {
      rows.push_back(first);
      rows.back().back() = f_.add(first.back(), f_.i64(r));
    }
    const Values states = walk_lanes(accs, rows);
    Values results;
    for (size_t a = 0; a < accs.size(); ++a) {
      Values parts;
      for (unsigned r = 0; r < kSumRows; ++r) parts.push_back(states[r * accs.size() + a]);
      results.push_back(combine_rows(accs[a].dtype, parts));
    }
    return results;
  }

 private:
  Values accumulate_halves(Walk accs, const Scope& scope, const auto& add) {
    Values zeros = initial(accs, scope.lanes);
    zeros.insert(zeros.end(), zeros.begin(), zeros.end());
    llvm::Value* extent = f_.poly(accs[0].dims[0]);
    const Values sums = f_.fold_in_chains(
        f_.i64(0), extent, 2, true, zeros, [&](llvm::Value* i, std::span<llvm::Value*> states) {
          Values variables = scope.variables;
          variables.push_back(i);
          std::ranges::copy(add(variables, i, Values(states.begin(), states.end())), states.begin());
        });
    return f_.join(sums, 2);
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

  // Several accumulators of one walk: their states stand one after the other.

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

  /// The tree of combine() for four rows at once.
  llvm::Value* combine_rows(DType dtype, const Values& v) {
    auto picked = [&](llvm::Value* x, llvm::Value* y, const std::function<int(int)>& pick) {
      std::vector<int> picks(kSumLanes);
      for (int l = 0; l < static_cast<int>(kSumLanes); ++l) picks[static_cast<size_t>(l)] = pick(l);
      return f_.b.CreateShuffleVector(x, y, picks);
    };
    // Lane l of a group of so many lanes and the lane that is so far behind it, of two vectors.
    auto halved = [&](llvm::Value* x, llvm::Value* y, int width) {
      auto pick = [&](int behind) {
        return [=](int l) { return l / width * 2 * width + l % width + behind; };
      };
      return plus(dtype, picked(x, y, pick(0)), picked(x, y, pick(width)));
    };
    llvm::Value* sums = halved(halved(v[0], v[1], 8), halved(v[2], v[3], 8), 4);
    for (int width : {2, 1}) sums = plus(dtype, sums, picked(sums, sums, [=](int l) { return l ^ width; }));
    return f_.b.CreateShuffleVector(sums, std::vector<int>{0, 4, 8, 12});
  }

  /// The states of the accumulators at each of the points, the last reduced dim in lanes; what is left of it,
  /// with a mask.
  Values walk_lanes(Walk accs, const std::vector<Values>& points) {
    const std::vector<Poly>& dims = accs[0].dims;
    std::vector<Poly> outer(dims.begin(), dims.end() - 1);
    llvm::Value* extent = f_.poly(dims.back());
    llvm::Value* whole = f_.b.CreateAnd(extent, f_.i64(-static_cast<int64_t>(kSumLanes)));
    const int lane_variable = static_cast<int>(points[0].size() + outer.size());
    auto fold_last = [&](const Values& reduced, llvm::Value* number, const Values& carried) {
      auto advance = [&](llvm::Value* i, llvm::Value* mask, const Values& before) {
        llvm::Value* index = numbered(f_.b.CreateTrunc(f_.add(f_.mul(number, extent), i), f_.b.getInt32Ty()));
        Values next;
        for (size_t p = 0; p < points.size(); ++p) {
          Scope inner{points[p], lane_variable, kSumLanes, mask};
          inner.variables.insert(inner.variables.end(), reduced.begin(), reduced.end());
          inner.variables.push_back(i);
          const auto own = before.begin() + static_cast<std::ptrdiff_t>(p * before.size() / points.size());
          std::ranges::copy(
              step(accs, inner, {own, own + static_cast<std::ptrdiff_t>(before.size() / points.size())},
                   index),
              std::back_inserter(next));
        }
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
    Values start;
    for (size_t p = 0; p < points.size(); ++p)
      std::ranges::copy(initial(accs, kSumLanes), std::back_inserter(start));
    return f_.fold_box(outer, {}, start, fold_last);
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
};

}  // namespace

Values accumulate(FunctionBuilder& f, Walk accs, const Scope& scope) {
  return Accumulation(f).accumulate(accs, scope);
}

Values accumulate_lanes(FunctionBuilder& f, Walk accs, const Scope& scope) {
  return Accumulation(f).accumulate_lanes(accs, scope);
}

Values sum_rows(FunctionBuilder& f, Walk accs, const Values& first) {
  return Accumulation(f).sum_rows(accs, first);
}

}  // namespace rondo::codegen
