#include "codegen/llvm/order.h"

#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <vector>

namespace rondo::codegen {

namespace {

/// Cycles from the operands of an instruction on vectors to its result, on processors of this decade.
int latency(const llvm::Instruction& i) {
  switch (i.getOpcode()) {
    case llvm::Instruction::FDiv: return 13;
    case llvm::Instruction::FAdd:
    case llvm::Instruction::FSub:
    case llvm::Instruction::FMul: return 3;
    case llvm::Instruction::Load:
    case llvm::Instruction::GetElementPtr:
    case llvm::Instruction::BitCast:
    case llvm::Instruction::InsertElement: return 0;
    case llvm::Instruction::Call: {
      const auto* call = llvm::dyn_cast<llvm::IntrinsicInst>(&i);
      if (call && call->getIntrinsicID() == llvm::Intrinsic::fma) return 4;
      return call && call->getIntrinsicID() == llvm::Intrinsic::fabs ? 2 : 5;
    }
    default: return 2;
  }
}

/// Whether an instruction only brings what memory holds: no other one needs to wait for it.
bool brings(const llvm::Instruction& i) {
  if (i.mayHaveSideEffects()) return false;
  switch (i.getOpcode()) {
    case llvm::Instruction::Load:
    case llvm::Instruction::GetElementPtr:
    case llvm::Instruction::BitCast: return true;
    case llvm::Instruction::InsertElement:
    case llvm::Instruction::ShuffleVector:
      return std::ranges::all_of(i.operands(), [&](const llvm::Use& use) {
        const auto* operand = llvm::dyn_cast<llvm::Instruction>(use.get());
        return !operand || (operand->getParent() == i.getParent() && brings(*operand));
      });
    default: return false;
  }
}

class BlockOrder {
 public:
  BlockOrder(llvm::BasicBlock& block, size_t registers)
      : block_(block), registers_(static_cast<int64_t>(registers)) {
    for (llvm::Instruction& i : block)
      if (!llvm::isa<llvm::PHINode>(i) && !i.isTerminator()) {
        number_[&i] = all_.size();
        all_.push_back({.instruction = &i, .brings = brings(i), .users = i.getNumUses()});
      }
    find_needs();
    for (size_t n = all_.size(); n-- > 0;) {
      all_[n].height += latency(*all_[n].instruction);
      for (size_t need : all_[n].needs) {
        all_[need].height = std::max(all_[need].height, all_[n].height);
        all_[need].followers.push_back(n);
      }
      all_[n].waits = all_[n].needs.size();
    }
  }

  void run() {
    std::vector<size_t> first;
    for (size_t n = 0; n < all_.size(); ++n)
      if (all_[n].waits == 0) first.push_back(n);
    for (size_t n : first) make_ready(n);
    while (!ready_.empty()) {
      auto next = ready_.begin();
      if (waiting_ >= registers_) {
        const auto fits =
            std::ranges::find_if(ready_, [&](const auto& entry) { return growth(entry.second) <= 0; });
        if (fits != ready_.end()) next = fits;
      }
      const size_t n = next->second;
      ready_.erase(next);
      place(n);
    }
    for (size_t n = 0; n < all_.size(); ++n)
      if (all_[n].brings) bring(n);  // what other blocks use
  }

 private:
  struct Item {
    llvm::Instruction* instruction;
    bool brings;
    size_t users;                                    // that do not stand yet
    std::vector<size_t> needs = {}, followers = {};  // those that must stand before it, and after it
    size_t waits = 0;                                // of the first, those that do not stand yet
    int height = 0;  // cycles from its start to the end of the last that waits for it
    bool brought = false;
  };

  /// Operands, and what may touch the same memory; each once.
  void find_needs() {
    std::vector<size_t> reads;
    std::optional<size_t> last_write;
    for (size_t n = 0; n < all_.size(); ++n) {
      Item& item = all_[n];
      for (const llvm::Use& use : item.instruction->operands())
        if (const auto found = number_.find(use.get()); found != number_.end())
          item.needs.push_back(found->second);
      const bool writes = item.instruction->mayHaveSideEffects();
      if (last_write && (writes || item.instruction->mayReadFromMemory())) item.needs.push_back(*last_write);
      if (writes) {
        std::ranges::copy(reads, std::back_inserter(item.needs));
        reads.clear();
        last_write = n;
      } else if (item.instruction->mayReadFromMemory()) {
        reads.push_back(n);
      }
      std::ranges::sort(item.needs);
      item.needs.erase(std::unique(item.needs.begin(), item.needs.end()), item.needs.end());
    }
  }

  /// What brings a value stands just before its first user, and so is no hindrance.
  void make_ready(size_t n) {
    if (all_[n].brings)
      release(n);
    else
      ready_.insert({-all_[n].height, n});
  }

  void release(size_t n) {
    for (size_t m : all_[n].followers)
      if (--all_[m].waits == 0) make_ready(m);
  }

  static bool in_register(const Item& item) {
    return !item.brings && item.instruction->getType()->isVectorTy();
  }

  /// How many more values wait in registers after it than before.
  int growth(size_t n) {
    int more = in_register(all_[n]) ? 1 : 0;
    for (size_t need : all_[n].needs)
      if (in_register(all_[need]) && all_[need].users == uses(n, need)) --more;
    return more;
  }

  /// How many of its operands are the value of another.
  size_t uses(size_t n, size_t operand) const {
    return static_cast<size_t>(std::ranges::count_if(all_[n].instruction->operands(), [&](const auto& use) {
      return use.get() == all_[operand].instruction;
    }));
  }

  void place(size_t n) {
    for (size_t need : all_[n].needs)
      if (all_[need].brings) bring(need);
    waiting_ += growth(n);
    for (size_t need : all_[n].needs) all_[need].users -= uses(n, need);
    all_[n].instruction->moveBefore(block_.getTerminator());
    release(n);
  }

  void bring(size_t n) {
    if (all_[n].brought) return;
    all_[n].brought = true;
    for (size_t need : all_[n].needs)
      if (all_[need].brings) bring(need);
    all_[n].instruction->moveBefore(block_.getTerminator());
  }

  llvm::BasicBlock& block_;
  std::vector<Item> all_;
  llvm::DenseMap<const llvm::Value*, size_t> number_;
  std::set<std::pair<int, size_t>> ready_;  // the highest first, of equal ones the one that stood first
  int64_t registers_, waiting_ = 0;
};

}  // namespace

void order_by_chains(llvm::Module& module) {
  for (llvm::Function& f : module)
    if (const llvm::Attribute chain = f.getFnAttribute(kChain); chain.isValid())
      for (llvm::BasicBlock& block : f) BlockOrder(block, std::stoul(chain.getValueAsString().str())).run();
}

KeepOrder::KeepOrder(llvm::Module& module) : module_(module), before_(module.getContext().getOptPassGate()) {
  module.getContext().setOptPassGate(*this);
}

KeepOrder::~KeepOrder() { module_.getContext().setOptPassGate(before_); }

bool KeepOrder::shouldRunPass(llvm::StringRef pass, llvm::StringRef where) {
  if (pass != "Live Range Shrink" && pass != "Machine Instruction Scheduler" &&
      pass != "Post RA top-down list latency scheduler")
    return true;
  return std::ranges::none_of(module_, [&](const llvm::Function& f) {
    return f.hasFnAttribute(kChain) && where == ("function (" + f.getName() + ")").str();
  });
}

}  // namespace rondo::codegen
