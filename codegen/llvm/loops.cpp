// Loops and branches of an emitted function, with the values that pass through them.
#include <algorithm>
#include <functional>
#include <iterator>

#include "codegen/llvm/values.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// In a block with two before it, the values that either of them leaves.
Values meet(llvm::IRBuilder<>& b, const Values& a, llvm::BasicBlock* from_a, const Values& c,
            llvm::BasicBlock* from_c) {
  Values met;
  for (size_t i = 0; i < a.size(); ++i) {
    llvm::PHINode* either = b.CreatePHI(a[i]->getType(), 2);
    either->addIncoming(a[i], from_a);
    either->addIncoming(c[i], from_c);
    met.push_back(either);
  }
  return met;
}

}  // namespace

Values FunctionBuilder::fold(llvm::Value* begin, llvm::Value* end, int64_t step, Values init,
                             const std::function<Values(llvm::Value*, const Values&)>& body) {
  auto* from = llvm::dyn_cast<llvm::ConstantInt>(begin);
  auto* to = llvm::dyn_cast<llvm::ConstantInt>(end);
  if (from && to && to->getSExtValue() <= from->getSExtValue()) return init;
  if (from && to && to->getSExtValue() <= from->getSExtValue() + step * unrolled) {
    for (int64_t i = from->getSExtValue(); i < to->getSExtValue(); i += step) init = body(i64(i), init);
    return init;
  }

  llvm::LLVMContext& context = b.getContext();
  llvm::BasicBlock* before = b.GetInsertBlock();
  auto* loop = llvm::BasicBlock::Create(context, "loop", function_);
  auto* done = llvm::BasicBlock::Create(context, "done", function_);
  if (from && to)
    b.CreateBr(loop);
  else
    b.CreateCondBr(b.CreateICmpSLT(begin, end), loop, done);

  b.SetInsertPoint(loop);
  llvm::PHINode* i = b.CreatePHI(b.getInt64Ty(), 2, "i");
  i->addIncoming(begin, before);
  std::vector<llvm::PHINode*> carried;
  for (llvm::Value* v : init) {
    carried.push_back(b.CreatePHI(v->getType(), 2));
    carried.back()->addIncoming(v, before);
  }
  ++depth_;
  Values next = body(i, Values(carried.begin(), carried.end()));
  --depth_;
  llvm::Value* next_i = b.CreateNSWAdd(i, i64(step));
  llvm::BasicBlock* latch = b.GetInsertBlock();
  b.CreateCondBr(b.CreateICmpSLT(next_i, end), loop, done);
  i->addIncoming(next_i, latch);
  for (size_t c = 0; c < carried.size(); ++c) carried[c]->addIncoming(next[c], latch);

  b.SetInsertPoint(done);
  if (from && to) return next;
  return meet(b, init, before, next, latch);
}

Values FunctionBuilder::fold_in_chains(llvm::Value* begin, llvm::Value* end, int64_t chains, Values init,
                                       const AddTerm& add_term) {
  const size_t states = init.size() / static_cast<size_t>(chains);
  auto add_terms = [&](int64_t first, int64_t count) {
    return [&, first, count](llvm::Value* i, const Values& carried) {
      Values next = carried;
      for (int64_t c = 0; c < count; ++c)
        add_term(c > 0 ? add(i, i64(c)) : i, std::span(next).subspan(states * (first + c), states));
      return next;
    };
  };
  if (chains == 1) return fold(begin, end, 1, std::move(init), add_terms(0, 1));
  llvm::Value* whole = add(begin, b.CreateAnd(b.CreateNSWSub(end, begin), i64(-chains)));
  Values sums = fold(begin, whole, chains, std::move(init), add_terms(0, chains));
  for (int64_t c = 0; c + 1 < chains; ++c)
    sums = fold(add(whole, i64(c)), end, chains, std::move(sums), add_terms(c, 1));
  return sums;
}

Values FunctionBuilder::sum_in_chains(llvm::Value* end, int64_t chains, Values init,
                                      const AddTerm& add_term) {
  const size_t states = init.size();
  for (int64_t c = 1; c < chains; ++c)
    for (size_t i = 0; i < states; ++i) init.push_back(llvm::Constant::getNullValue(init[i]->getType()));
  return join(fold_in_chains(i64(0), end, chains, std::move(init), add_term), chains);
}

Values FunctionBuilder::sum_chain_by_chain(int64_t chains, const Values& init, const FoldChain& fold_chain) {
  Values zeros;
  for (llvm::Value* v : init) zeros.push_back(llvm::Constant::getNullValue(v->getType()));
  // Those of every `every`th term from `first` on, as a tree: few complete ones wait for others.
  std::function<Values(int64_t, int64_t)> sum = [&](int64_t first, int64_t every) {
    if (every == chains) return fold_chain(first, every, first > 0 ? zeros : init);
    Values both = sum(first, 2 * every);
    std::ranges::copy(sum(first + every, 2 * every), std::back_inserter(both));
    return join(std::move(both), 2);
  };
  return sum(0, 1);
}

Values FunctionBuilder::join(Values sums, int64_t chains) {
  for (; chains > 1; chains /= 2) {
    const size_t half = sums.size() / 2;
    for (size_t i = 0; i < half; ++i) sums[i] = b.CreateFAdd(sums[i], sums[half + i]);
    sums.resize(half);
  }
  return sums;
}

void FunctionBuilder::for_each(llvm::Value* begin, llvm::Value* end, int64_t step,
                               const std::function<void(llvm::Value*)>& body) {
  fold(begin, end, step, {}, [&](llvm::Value* i, const Values&) {
    body(i);
    return Values{};
  });
}

void FunctionBuilder::for_box(const std::vector<Poly>& extents,
                              const std::function<void(const Values&)>& body) {
  Values at;
  std::function<void()> next = [&] {
    if (at.size() == extents.size()) return body(at);
    for_each(i64(0), poly(extents[at.size()]), 1, [&](llvm::Value* i) {
      at.push_back(i);
      next();
      at.pop_back();
    });
  };
  next();
}

Values FunctionBuilder::fold_box(
    const std::vector<Poly>& extents, const Values& outer, Values init,
    const std::function<Values(const Values&, llvm::Value*, const Values&)>& body) {
  Values at = outer;
  std::function<Values(size_t, llvm::Value*, const Values&)> next = [&](size_t depth, llvm::Value* number,
                                                                        const Values& carried) {
    if (depth == extents.size()) return body(at, number, carried);
    llvm::Value* extent = poly(extents[depth]);
    return fold(i64(0), extent, 1, carried, [&](llvm::Value* i, const Values& inner) {
      at.push_back(i);
      Values result = next(depth + 1, depth == 0 ? i : add(mul(number, extent), i), inner);
      at.pop_back();
      return result;
    });
  };
  return next(0, i64(0), init);
}

void FunctionBuilder::if_then(llvm::Value* condition, const std::function<void()>& body) {
  values_if(condition, {}, [&] {
    body();
    return Values{};
  });
}

Values FunctionBuilder::values_if(llvm::Value* condition, const Values& otherwise,
                                  const std::function<Values()>& body) {
  if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(condition)) return known->isOne() ? body() : otherwise;
  llvm::BasicBlock* before = b.GetInsertBlock();
  auto* then = llvm::BasicBlock::Create(b.getContext(), "then", function_);
  auto* done = llvm::BasicBlock::Create(b.getContext(), "done", function_);
  b.CreateCondBr(condition, then, done);
  b.SetInsertPoint(then);
  ++depth_;
  Values values = body();
  --depth_;
  llvm::BasicBlock* last = b.GetInsertBlock();
  b.CreateBr(done);
  b.SetInsertPoint(done);
  return meet(b, otherwise, before, values, last);
}

}  // namespace rondo::codegen
