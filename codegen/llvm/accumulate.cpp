#include "codegen/llvm/accumulate.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>

namespace rondo::codegen {

using namespace ir;

namespace {

using Walk = std::span<const Accumulator>;

class Accumulation {
 public:
  explicit Accumulation(FunctionBuilder& f) : f_(f) {}

  Values accumulate(Walk accs, const Scope& scope, const Values& sums) {
    auto add = [&](const Values& variables, llvm::Value* number, const Values& carried) {
      Scope inner = scope;
      inner.variables = variables;
      return step(accs, inner, carried, f_.b.CreateTrunc(number, f_.b.getInt32Ty()));
    };
    if (accs[0].order != SumOrder::chain) return accumulate_in_chains(accs, scope, add);
    const Values states =
        f_.fold_box(accs[0].dims, scope.variables, sums.empty() ? initial(accs, scope.lanes) : sums, add);
    Values results;
    for (const Values& state : parted(accs, states)) results.push_back(state.back());
    return results;
  }

  Values accumulate_lanes(Walk accs, const Scope& scope) {
    const std::vector<Values> parts = parted(accs, walk_lanes(accs, scope.variables));
    Values results;
    for (size_t a = 0; a < accs.size(); ++a) results.push_back(combine(accs[a], parts[a]));
    return results;
  }

  Values sum_rows(Walk accs, const Values& first) {
    std::vector<Values> parts(accs.size());
    for (unsigned r = 0; r < kSumRows; ++r) {
      Values row = first;
      row.back() = f_.add(first.back(), f_.i64(r));
      const Values states = walk_lanes(accs, row);
      for (size_t a = 0; a < accs.size(); ++a) parts[a].push_back(states[a]);
    }
    Values results;
    for (size_t a = 0; a < accs.size(); ++a) results.push_back(combine_rows(accs[a].dtype, parts[a]));
    return results;
  }

 private:
  Values accumulate_in_chains(Walk accs, const Scope& scope, const auto& add) {
    const int64_t chains = partial_sums(accs[0].order);
    auto add_term = [&](llvm::Value* i, std::span<llvm::Value*> states) {
      Values variables = scope.variables;
      variables.push_back(i);
      std::ranges::copy(add(variables, i, Values(states.begin(), states.end())), states.begin());
    };
    llvm::Value* extent = f_.poly(accs[0].dims[0]);
    if (!scope.mask) return f_.sum_in_chains(extent, chains, initial(accs, scope.lanes), add_term);
    // Loads under a mask are long code, so that there is one term only: the chains take turns.
    const auto width = static_cast<std::ptrdiff_t>(accs.size());
    Values zeros;
    for (int64_t c = 0; c < chains; ++c)
      std::ranges::copy(initial(accs, scope.lanes), std::back_inserter(zeros));
    Values sums = f_.fold(f_.i64(0), extent, 1, zeros, [&](llvm::Value* i, Values states) {
      add_term(i, std::span(states).first(accs.size()));
      std::rotate(states.begin(), states.begin() + width, states.end());
      return states;
    });
    const int64_t turns = (chains - accs[0].dims[0].constant() % chains) % chains;
    std::rotate(sums.begin(), sums.begin() + turns * width, sums.end());
    return f_.join(sums, chains);
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
      const bool fused = n.op == ScalarOp::mul && is_float(acc.dtype);
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

  /// The states of the accumulators at a point, the last reduced dim in lanes: its vectors in two chains,
  /// which are then one, and what is left of it with a mask.
  Values walk_lanes(Walk accs, const Values& point) {
    const std::vector<Poly>& dims = accs[0].dims;
    const std::vector<Poly> outer(dims.begin(), dims.end() - 1);
    const bool one = dims.back().is_constant() && dims.back().constant() <= kSumLanes;
    const int64_t chains = one ? 1 : 2;  // the second would stay as it starts
    llvm::Value* extent = f_.poly(dims.back());
    llvm::Value* vectors = f_.b.CreateLShr(extent, f_.i64(std::countr_zero(kSumLanes)));
    const int lane_variable = static_cast<int>(point.size() + outer.size());
    auto fold_last = [&](const Values& reduced, llvm::Value* number, const Values& carried) {
      auto add_vector = [&](llvm::Value* v, llvm::Value* mask, std::span<llvm::Value*> states) {
        llvm::Value* i = f_.mul(v, f_.i64(kSumLanes));
        llvm::Value* index = numbered(f_.b.CreateTrunc(f_.add(f_.mul(number, extent), i), f_.b.getInt32Ty()));
        Scope inner{point, lane_variable, kSumLanes, mask};
        inner.variables.insert(inner.variables.end(), reduced.begin(), reduced.end());
        inner.variables.push_back(i);
        const Values next = step(accs, inner, {states.begin(), states.end()}, index);
        for (size_t s = 0; s < states.size(); ++s)
          states[s] = mask ? f_.b.CreateSelect(mask, next[s], states[s]) : next[s];
      };
      const Values whole = f_.fold_in_chains(
          f_.i64(0), vectors, chains, carried,
          [&](llvm::Value* v, std::span<llvm::Value*> states) { add_vector(v, nullptr, states); });
      return f_.values_if(f_.b.CreateICmpSLT(f_.mul(vectors, f_.i64(kSumLanes)), extent), whole, [&] {
        Values states = whole;
        llvm::Value* mask = f_.lanes_below(f_.mul(vectors, f_.i64(kSumLanes)), extent, kSumLanes);
        for (int64_t c = 0; c < chains; ++c) {
          llvm::Value* turn =
              chains == 1 ? f_.b.getTrue() : f_.b.CreateICmpEQ(f_.b.CreateAnd(vectors, f_.i64(1)), f_.i64(c));
          if (turn == f_.b.getFalse()) continue;
          llvm::Value* own = turn == f_.b.getTrue() ? mask : f_.b.CreateAnd(mask, f_.splat(turn, kSumLanes));
          add_vector(vectors, own,
                     std::span(states).subspan(c * states.size() / chains, states.size() / chains));
        }
        return states;
      });
    };
    Values start;
    for (int64_t c = 0; c < chains; ++c)
      std::ranges::copy(initial(accs, kSumLanes), std::back_inserter(start));
    const Values states = f_.fold_box(outer, {}, start, fold_last);
    return one ? states : merged(accs, states);
  }

  /// What two chains have accumulated.
  Values merged(Walk accs, const Values& chains) {
    const auto half = chains.begin() + static_cast<std::ptrdiff_t>(chains.size() / 2);
    const std::vector<Values> first = parted(accs, {chains.begin(), half}),
                              second = parted(accs, {half, chains.end()});
    Values states;
    for (size_t a = 0; a < accs.size(); ++a)
      std::ranges::copy(merged(accs[a], first[a], second[a]), std::back_inserter(states));
    return states;
  }

  llvm::Value* numbered(llvm::Value* first) {
    std::vector<uint32_t> numbers(kSumLanes);
    for (unsigned l = 0; l < kSumLanes; ++l) numbers[l] = l;
    return f_.b.CreateAdd(f_.splat(first, kSumLanes),
                          llvm::ConstantDataVector::get(f_.b.getContext(), numbers));
  }

  /// Of two states the sum; the greater maximum, of equal ones that with the lower index.
  Values merged(const Accumulator& acc, const Values& x, const Values& y) {
    if (acc.kind == AccKind::sum) return {plus(acc.dtype, x[0], y[0])};
    llvm::Value* better = greater(acc.dtype, y[0], x[0]);
    if (acc.kind == AccKind::max) return {f_.b.CreateSelect(better, y[0], x[0])};
    llvm::Value* equal = f_.b.CreateNot(f_.b.CreateOr(better, greater(acc.dtype, x[0], y[0])));
    better = f_.b.CreateOr(better, f_.b.CreateAnd(equal, f_.b.CreateICmpSLT(y[1], x[1])));
    return {f_.b.CreateSelect(better, y[0], x[0]), f_.b.CreateSelect(better, y[1], x[1])};
  }

  /// Merges lane l + width into lane l for width 8, 4, 2, 1.
  llvm::Value* combine(const Accumulator& acc, Values state) {
    for (unsigned width = kSumLanes / 2; width > 0; width /= 2) {
      Values low, high;
      for (llvm::Value* v : state) {
        low.push_back(f_.part(v, 0, width));
        high.push_back(f_.part(v, width, width));
      }
      state = merged(acc, low, high);
    }
    return state.back();
  }

  FunctionBuilder& f_;
};

}  // namespace

Values accumulate(FunctionBuilder& f, Walk accs, const Scope& scope, const Values& sums) {
  return Accumulation(f).accumulate(accs, scope, sums);
}

Values accumulate_lanes(FunctionBuilder& f, Walk accs, const Scope& scope) {
  return Accumulation(f).accumulate_lanes(accs, scope);
}

Values sum_rows(FunctionBuilder& f, Walk accs, const Values& first) {
  return Accumulation(f).sum_rows(accs, first);
}

}  // namespace rondo::codegen
