// Builds one LLVM function: sizes and buffers as values, loops, and whole vectors of lanes.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "codegen/llvm/jit.h"
#include "codegen/llvm/order.h"
#include "codegen/loops/split_kernels.h"
#include "ir/loops.h"

namespace rondo::codegen {

using Values = std::vector<llvm::Value*>;

inline constexpr int64_t kCacheLine = 64;

class KeptValues;

/// The function f(args, dims, scratch, loop variables..., more...) under construction; of a program for
/// several threads, f(args, dims, scratch, member, loop variables..., more...). What depends on the dims
/// alone is computed once, in its entry block.
/// Of a vector of fixed length; 1 of a scalar.
unsigned lanes_of(llvm::Value*);

class FunctionBuilder {
 public:
  /// `more`: the types of further parameters.
  FunctionBuilder(llvm::Module&, const ir::LoopProgram&, const Target&, const std::string& name,
                  const std::vector<ir::LoopId>& loops, const std::vector<llvm::Type*>& more = {});
  /// Closes the function: a return, and the jump from the entry.
  llvm::Function* finish();

  llvm::IRBuilder<> b;
  const ir::LoopProgram& program;
  const Target& target;
  /// The kernel that is all of the function; null: there is more.
  const ir::Kernel* kernel = nullptr;
  /// Elements of buffers that are at hand; null: none are kept.
  KeptValues* kept = nullptr;
  /// Loops of so many iterations, if that is known, are none: their bodies follow each other.
  int64_t unrolled = 1;
  /// Whether the function only reads a buffer, and no in-place update goes by another name.
  bool only_reads(ir::BufferId) const;

  llvm::Module& module() const { return *function_->getParent(); }
  llvm::Value* argument(unsigned i) const;
  /// Parameter i of those after the loop variables.
  llvm::Value* further_argument(unsigned i) const;
  /// The loops around what is emitted now, outermost first.
  const std::vector<ir::LoopId>& loops() const { return loop_ids_; }
  /// Calls a function of the program that takes what this one takes first, the variables of loops(), and
  /// `more`.
  void call(llvm::Function*, const Values& more);
  /// The number of the thread that runs the code.
  llvm::Value* thread();
  /// Waits for all threads.
  void sync();
  /// The thread's share of points, whose two names polynomials may hold from here on.
  void define(const Share& share) { shares_.insert_or_assign(share.first, share); }
  void define_shares_of(const FunctionBuilder& other) { shares_ = other.shares_; }
  llvm::Value* i64(int64_t v) { return b.getInt64(static_cast<uint64_t>(v)); }
  llvm::Value* poly(const ir::Poly&);
  /// The first element of a buffer.
  llvm::Value* base(ir::BufferId);
  llvm::Value* loop_variable(ir::LoopId id) const { return loops_.at(id); }
  void set_loop_variable(ir::LoopId id, llvm::Value* v) { loops_[id] = v; }
  void enter_loop(ir::LoopId id, llvm::Value* variable) {
    loop_ids_.push_back(id);
    set_loop_variable(id, variable);
  }
  void leave_loop() { loop_ids_.pop_back(); }
  /// Says that its time is that of a chain of operations: what waits longest is to stand first.
  void mark_chain();
  bool is_chain() const { return function_->hasFnAttribute(kChain); }
  /// 64-byte aligned room for count elements on the stack.
  llvm::Value* stack(llvm::Type*, uint64_t count);

  /// The type of `lanes` values in registers; one lane is a scalar. A pred is i1 there.
  llvm::Type* type(DType, unsigned lanes = 1);
  /// The same in memory: a pred is i8.
  llvm::Type* memory_type(DType, unsigned lanes = 1);
  llvm::Value* splat(llvm::Value*, unsigned lanes);
  /// Some lanes of a vector; one is a scalar.
  llvm::Value* part(llvm::Value*, unsigned first, unsigned lanes);
  /// Vectors of as many lanes each, one after the other.
  llvm::Value* concat(const Values&);
  /// <lanes x i1>: whether lane l of a vector that starts at `first` is below `end`.
  llvm::Value* lanes_below(llvm::Value* first, llvm::Value* end, unsigned lanes);
  llvm::Value* element(llvm::Type* type, llvm::Value* base, llvm::Value* index) {
    return b.CreateInBoundsGEP(type, base, index);
  }
  llvm::Value* add(llvm::Value* x, llvm::Value* y) { return b.CreateNSWAdd(x, y); }
  llvm::Value* mul(llvm::Value* x, llvm::Value* y) { return b.CreateNSWMul(x, y); }
  /// x / y and the float of x, of sizes: not negative, and on a machine of 32 bits below 2^32, where division
  /// and conversion of 64 would take a library.
  llvm::Value* divide(llvm::Value* x, llvm::Value* y);
  llvm::Value* divide_up(llvm::Value* x, llvm::Value* y) {
    return divide(b.CreateNSWSub(add(x, y), i64(1)), y);
  }
  llvm::Value* to_float(llvm::Value* x, llvm::Type*);
  llvm::Value* minimum(llvm::Value* x, llvm::Value* y) { return b.CreateSelect(b.CreateICmpSLT(x, y), x, y); }
  /// The offset in bytes, but no constant that LLVM could put into the address of each load: of vectors of 64
  /// bytes those stand for up to 8 KB in one byte, beyond in four.
  llvm::Value* in_register(llvm::Value* offset);
  /// How many loops and conditions there are around what is emitted now, of this builder.
  int depth() const { return depth_; }
  /// One element or a vector of them; under a mask, where there is one.
  llvm::Value* load(llvm::Type*, llvm::Value* at, llvm::Align, llvm::Value* mask);
  void store(llvm::Value*, llvm::Value* at, llvm::Align, llvm::Value* mask);
  /// LLVM moves no load or store from one side to the other.
  void keep_order() {
    b.CreateFence(llvm::AtomicOrdering::SequentiallyConsistent, llvm::SyncScope::SingleThread);
  }
  /// Asks for the cache lines of `count` elements from one on, to read or to write them. They need not exist.
  void prefetch(const ir::Access&, DType, const Values& variables, llvm::Value* count, bool write = false);
  enum class Near { first_cache, second_cache };
  void prefetch_line(llvm::Value* at, bool write = false, Near near = Near::first_cache);
  /// a * b + c: fused where the target can; elsewhere a library call would be the only way to.
  llvm::Value* fma(llvm::Value* x, llvm::Value* y, llvm::Value* z);

  /// for (i = begin; i < end; i += step) with values carried from one iteration to the next; returns the last
  /// ones.
  Values fold(llvm::Value* begin, llvm::Value* end, int64_t step, Values init,
              const std::function<Values(llvm::Value* i, const Values&)>& body);
  /// Folds begin..end in chains of states, a power of two of them, which take the terms in turn; the states
  /// stand chain after chain.
  using AddTerm = std::function<void(llvm::Value* i, std::span<llvm::Value*> states)>;
  Values fold_in_chains(llvm::Value* begin, llvm::Value* end, int64_t chains, Values init, const AddTerm&);
  /// The sums of 0..end in chains side by side, of which the first starts with `init`.
  Values sum_in_chains(llvm::Value* end, int64_t chains, Values init, const AddTerm&);
  /// The same one chain after the other, each folded from its start: of every `every`th term from `first` on.
  using FoldChain = std::function<Values(int64_t first, int64_t every, const Values& start)>;
  Values sum_chain_by_chain(int64_t chains, const Values& init, const FoldChain& fold_chain);
  /// What chains have summed, added.
  Values join(Values sums, int64_t chains);
  void for_each(llvm::Value* begin, llvm::Value* end, int64_t step,
                const std::function<void(llvm::Value* i)>& body);
  /// Loops over a box, outermost first; `at` gets one variable per extent.
  void for_box(const std::vector<ir::Poly>& extents, const std::function<void(const Values& at)>& body);
  /// The same with values carried through; `number` is the row-major number of the point, `at` is `outer` and
  /// one variable per extent.
  Values fold_box(const std::vector<ir::Poly>& extents, const Values& outer, Values init,
                  const std::function<Values(const Values& at, llvm::Value* number, const Values&)>& body);
  void if_then(llvm::Value* condition, const std::function<void()>& body);
  /// What body returns if the condition holds, else `otherwise`.
  Values values_if(llvm::Value* condition, const Values& otherwise, const std::function<Values()>& body);

 private:
  llvm::Function* function_;
  llvm::IRBuilder<> entry_;
  llvm::BasicBlock* start_;
  std::map<ir::Poly, llvm::Value*> polys_;
  std::map<std::string, llvm::Value*> dims_;
  std::map<ir::BufferId, llvm::Value*> bases_;
  std::map<uint32_t, llvm::Value*> slots_;
  std::map<int64_t, llvm::Value*> in_registers_;
  std::vector<ir::LoopId> loop_ids_;
  unsigned first_further_;
  std::map<ir::LoopId, llvm::Value*> loops_;
  std::map<std::string, Share> shares_;  // by the name of its first point
  llvm::Value* thread_ = nullptr;
  int depth_ = 0;
  llvm::Value* slot(uint32_t);
  /// A size in the machine's own width.
  llvm::Value* native(llvm::Value*);
  /// How many windows of `longest` steps there are, computed in the entry block.
  llvm::Value* quotient(const ir::Dim& steps, const ir::Dim& longest);
  /// A dim of the call, a quotient of two, a count, or a number of a share.
  llvm::Value* named_number(const std::string& name);
  llvm::Value* share_number(const Share&, bool first);
};

/// Where an expression is evaluated: the variables in scope, one of which may run over the lanes.
struct Scope {
  Values
      variables;  // the kernel's dims, then the accumulator's own; of the lane variable, the value in lane 0
  int lane_variable = -1;
  unsigned lanes = 1;
  llvm::Value* mask = nullptr;  // lanes that exist; null: all
};

/// The values of `nodes`; those that vary over the lanes are vectors of scope.lanes, the others scalars.
/// accs: the values of the kernel's accumulators. known: values of nodes that are at hand, null for the
/// others. wanted: flags the nodes to compute, and all that these need; empty: all.
class NodeValues {
 public:
  NodeValues(FunctionBuilder&, const ir::Nodes&, const Scope&, const Values& accs = {}, Values known = {},
             const std::vector<char>& wanted = {});
  /// The value in all lanes.
  llvm::Value* lanes(ir::NodeId) const;
  /// One per node; null where it is not wanted.
  const Values& all() const { return values_; }
  void store(const ir::Store&) const;

 private:
  llvm::Value* emit(const ir::Node&);
  llvm::Value* apply(const ir::Node&, DType from, const Values& x);
  llvm::Value* cast(llvm::Value*, DType from, DType to);
  llvm::Value* compare(const ir::Node&, DType from, const Values& x);
  llvm::Value* index(const ir::Node&);
  llvm::Value* load(const ir::Node&);
  /// The element index of lane 0 without the row, or with it if the row is one for all lanes.
  llvm::Value* first_index(const ir::Access&) const;
  /// Of lane 0; `type`: of an element.
  llvm::Value* address(const ir::Access&, llvm::Type* type) const;
  /// One pointer per lane, for what is neither one element nor a run of them.
  llvm::Value* pointers(const ir::Access&, llvm::Type*) const;
  llvm::Value* clamped_row(const ir::Access&) const;
  bool varies(const ir::Access&) const;
  llvm::Value* load_from_memory(const ir::Node&);
  void store_to_memory(const ir::Store&) const;

  FunctionBuilder& f_;
  const ir::Nodes& nodes_;
  const Scope& scope_;
  Values accs_;
  Values values_;
};

/// Whether node `id` takes different values as variable `variable` changes. Accumulators of a kernel vary
/// with all its dims.
bool varies_with(const ir::Nodes&, ir::NodeId id, size_t variable);
/// offset + outer loop variables * strides + variables * strides.
llvm::Value* affine_index(FunctionBuilder&, const ir::Access&, const Values& variables);

}  // namespace rondo::codegen
