#include "codegen/llvm/values.h"

#include <llvm/Analysis/VectorUtils.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/TargetParser/Triple.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>

#include "runtime/executable.h"
#include "support/error.h"
#include "support/skip.h"

namespace rondo::codegen {

using namespace ir;

namespace {

constexpr int64_t kShortOffset = 4096;  // leaves room for what else an address adds within 8 KB

unsigned count_arguments(const LoopProgram& program) { return program.threads > 1 ? 4 : 3; }

}  // namespace

unsigned lanes_of(llvm::Value* v) {
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(v->getType());
  return vector ? vector->getNumElements() : 1;
}

FunctionBuilder::FunctionBuilder(llvm::Module& module, const LoopProgram& program_in, const Target& target_in,
                                 const std::string& name, const std::vector<LoopId>& loops,
                                 const std::vector<llvm::Type*>& more)
    : b(module.getContext()),
      program(program_in),
      target(target_in),
      entry_(module.getContext()),
      loop_ids_(loops),
      first_further_(count_arguments(program) + static_cast<unsigned>(loops.size())) {
  const unsigned own = count_arguments(program);
  std::vector<llvm::Type*> params(own, b.getPtrTy());
  params.resize(first_further_, b.getInt64Ty());
  params.insert(params.end(), more.begin(), more.end());
  auto* type = llvm::FunctionType::get(b.getVoidTy(), params, false);
  function_ = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module);
  function_->addFnAttr("no-builtins");
  function_->addFnAttr("target-cpu", target.cpu);
  function_->addFnAttr("target-features", target.features);
  function_->addFnAttr("prefer-vector-width", std::to_string(target.vector_bytes * 8));
  function_->addFnAttr("min-legal-vector-width", std::to_string(target.vector_bytes * 8));
  if (target.flushes_denormals) function_->addFnAttr("denormal-fp-math", "preserve-sign,preserve-sign");
  function_->setDoesNotThrow();
  for (size_t i = 0; i < loops.size(); ++i)
    loops_[loops[i]] = function_->getArg(own + static_cast<unsigned>(i));
  entry_.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "entry", function_));
  start_ = llvm::BasicBlock::Create(module.getContext(), "start", function_);
  b.SetInsertPoint(start_);
}

llvm::Function* FunctionBuilder::finish() {
  b.CreateRetVoid();
  entry_.CreateBr(start_);
  return function_;
}

void FunctionBuilder::mark_chain() {
  // Elsewhere LLVM's order stays: processors of other kinds may start instructions in their order only.
  if (llvm::Triple(target.triple).isX86() && !is_skipped("order"))
    function_->addFnAttr(kChain, std::to_string(target.vector_registers * 3 / 4));
}

bool FunctionBuilder::only_reads(BufferId id) const {
  return kernel && program.buffers[id].kind == Buffer::Kind::scratch &&
         std::ranges::none_of(kernel->stores, [&](const Store& s) { return s.access.buffer == id; });
}

llvm::Value* FunctionBuilder::argument(unsigned i) const { return function_->getArg(i); }

llvm::Value* FunctionBuilder::further_argument(unsigned i) const { return argument(first_further_ + i); }

void FunctionBuilder::call(llvm::Function* function, const Values& more) {
  function->setLinkage(llvm::Function::InternalLinkage);
  function->addFnAttr(llvm::Attribute::NoInline);
  Values arguments;
  for (unsigned i = 0; i < count_arguments(program); ++i) arguments.push_back(argument(i));
  for (LoopId id : loop_ids_) arguments.push_back(loop_variable(id));
  arguments.insert(arguments.end(), more.begin(), more.end());
  b.CreateCall(function, arguments);
}

llvm::Value* FunctionBuilder::thread() {
  if (!thread_) thread_ = entry_.CreateLoad(b.getInt64Ty(), argument(3), "thread");
  return thread_;
}

void FunctionBuilder::sync() {
  llvm::Value* at = element(b.getInt8Ty(), argument(3), i64(offsetof(Member, sync)));
  auto* type = llvm::FunctionType::get(b.getVoidTy(), {b.getPtrTy()}, false);
  b.CreateCall(type, b.CreateLoad(b.getPtrTy(), at), {argument(3)});
}

llvm::Value* FunctionBuilder::share_number(const Share& share, bool first) {
  const Split& split = share.split;
  llvm::Value *extent = poly(share.extent), *threads = i64(program.threads), *own = thread();
  if (split.in_turn) {
    if (first) return own;
    llvm::Value* left = entry_.CreateNSWSub(entry_.CreateNSWAdd(extent, i64(program.threads - 1)), own);
    return entry_.CreateUDiv(left, threads);
  }
  llvm::Value* grain = i64(split.grain);
  llvm::Value* runs = entry_.CreateUDiv(entry_.CreateNSWAdd(extent, i64(split.grain - 1)), grain);
  auto start = [&](llvm::Value* t) {
    llvm::Value* at = entry_.CreateNSWMul(entry_.CreateUDiv(entry_.CreateNSWMul(runs, t), threads), grain);
    return entry_.CreateSelect(entry_.CreateICmpSLT(at, extent), at, extent);
  };
  llvm::Value* begin = start(own);
  return first ? begin : entry_.CreateNSWSub(start(entry_.CreateNSWAdd(own, i64(1))), begin);
}

llvm::Value* FunctionBuilder::named_number(const std::string& name) {
  if (auto dim = std::ranges::find(program.dims, name); dim != program.dims.end()) {
    llvm::Value* at =
        entry_.CreateConstInBoundsGEP1_64(b.getInt64Ty(), argument(1), dim - program.dims.begin());
    return entry_.CreateLoad(b.getInt64Ty(), at, name);
  }
  for (const auto& [first, share] : shares_) {
    if (name == first || name == share.size) return share_number(share, name == first);
  }
  if (const auto parts = quotient_parts(name)) return quotient(parts->first, parts->second);
  const auto count = std::ranges::find_if(program.counts, [&](const Count& c) {
    return c.name == name && (c.loop == kNone || loops_.contains(c.loop));
  });
  RONDO_CHECK(count != program.counts.end(), "no dim or count " + name);
  if (count->buffer == kNone) {
    llvm::Value* most = poly(count->most);
    llvm::Value* done = entry_.CreateNSWMul(loop_variable(count->loop), most);
    llvm::Value* left = entry_.CreateNSWSub(poly(count->steps), done);
    return entry_.CreateSelect(entry_.CreateICmpSLT(left, most), left, most, name);
  }
  llvm::Value* at = base(count->buffer);
  if (count->loop != kNone) at = entry_.CreateInBoundsGEP(b.getInt32Ty(), at, loop_variable(count->loop));
  return entry_.CreateSExt(entry_.CreateLoad(b.getInt32Ty(), at), b.getInt64Ty(), name);
}

llvm::Value* FunctionBuilder::poly(const Poly& p) {
  if (p.is_constant()) return i64(p.constant());
  auto [it, fresh] = polys_.try_emplace(p);
  if (!fresh) return it->second;
  llvm::Value* sum = nullptr;
  for (const auto& [term, coefficient] : p.terms()) {
    llvm::Value* product = i64(coefficient);
    for (const std::string& name : term) {
      llvm::Value*& dim = dims_[name];
      if (!dim) dim = named_number(name);
      product = entry_.CreateNSWMul(dim, product);
    }
    sum = sum ? entry_.CreateNSWAdd(sum, product) : product;
  }
  return polys_[p] = sum;
}

llvm::Value* FunctionBuilder::in_register(llvm::Value* offset) {
  const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(offset);
  if (target.vector_bytes < 64 || !constant || constant->getSExtValue() < kShortOffset) return offset;
  llvm::Value*& held = in_registers_[constant->getSExtValue()];
  if (held) return held;
  auto* type = llvm::FunctionType::get(b.getInt64Ty(), {b.getInt64Ty()}, false);
  return held = entry_.CreateCall(llvm::InlineAsm::get(type, "", "=r,0", false), {offset});
}

llvm::Value* FunctionBuilder::slot(uint32_t index) {
  auto [it, fresh] = slots_.try_emplace(index);
  if (!fresh) return it->second;
  if (index == 0) return it->second = i64(0);
  llvm::Value* size = poly(program.slots[index - 1]);
  llvm::Value* rounded = entry_.CreateAnd(entry_.CreateNSWAdd(size, i64(63)), i64(-64));
  llvm::Value* start = entry_.CreateNSWAdd(slot(index - 1), in_register(rounded));
  return slots_[index] = start;
}

llvm::Value* FunctionBuilder::base(BufferId id) {
  auto [it, fresh] = bases_.try_emplace(id);
  if (!fresh) return it->second;
  const Buffer& buffer = program.buffers.at(id);
  llvm::Value* at = nullptr;
  if (buffer.kind == Buffer::Kind::scratch) {
    RONDO_CHECK(buffer.slot != kNone, "no memory planned for buffer " + buffer.name);
    at = entry_.CreateInBoundsGEP(b.getInt8Ty(), argument(2), slot(buffer.slot), buffer.name);
  } else {
    at = entry_.CreateConstInBoundsGEP1_64(b.getPtrTy(), argument(0), buffer.arg);
    at = entry_.CreateLoad(b.getPtrTy(), at, buffer.name);
  }
  if (!buffer.own.is_zero()) {
    llvm::Value* bytes = poly(buffer.own * Poly(static_cast<int64_t>(size_of(buffer.dtype))));
    at = entry_.CreateInBoundsGEP(b.getInt8Ty(), at, entry_.CreateNSWMul(thread(), bytes), buffer.name);
  }
  return bases_[id] = at;
}

llvm::Value* FunctionBuilder::stack(llvm::Type* type, uint64_t count) {
  llvm::AllocaInst* room = entry_.CreateAlloca(type, b.getInt64(count));
  room->setAlignment(llvm::Align(64));
  return room;
}

llvm::Type* FunctionBuilder::type(DType t, unsigned lanes) {
  llvm::Type* scalar = t == DType::f32   ? b.getFloatTy()
                       : t == DType::f64 ? b.getDoubleTy()
                       : t == DType::i32 ? static_cast<llvm::Type*>(b.getInt32Ty())
                                         : b.getInt1Ty();
  return lanes == 1 ? scalar : llvm::FixedVectorType::get(scalar, lanes);
}

llvm::Type* FunctionBuilder::memory_type(DType t, unsigned lanes) {
  if (t != DType::pred) return type(t, lanes);
  return lanes == 1 ? static_cast<llvm::Type*>(b.getInt8Ty())
                    : llvm::FixedVectorType::get(b.getInt8Ty(), lanes);
}

llvm::Value* FunctionBuilder::splat(llvm::Value* v, unsigned lanes) {
  return lanes == 1 || v->getType()->isVectorTy() ? v : b.CreateVectorSplat(lanes, v);
}

llvm::Value* FunctionBuilder::part(llvm::Value* v, unsigned first, unsigned lanes) {
  if (lanes == 1) return b.CreateExtractElement(v, first);
  std::vector<int> picks(lanes);
  for (unsigned l = 0; l < lanes; ++l) picks[l] = static_cast<int>(first + l);
  return b.CreateShuffleVector(v, picks);
}

llvm::Value* FunctionBuilder::concat(const Values& parts) {
  return parts.size() == 1 ? parts[0] : llvm::concatenateVectors(b, parts);
}

llvm::Value* FunctionBuilder::lanes_below(llvm::Value* first, llvm::Value* end, unsigned lanes) {
  // The distance fits in i32 after clamping to the number of lanes.
  llvm::Value* left = minimum(b.CreateNSWSub(end, first), i64(lanes));
  llvm::Value* count = b.CreateTrunc(left, b.getInt32Ty());
  std::vector<uint32_t> numbers(lanes);
  for (unsigned l = 0; l < lanes; ++l) numbers[l] = l;
  return b.CreateICmpSLT(llvm::ConstantDataVector::get(b.getContext(), numbers),
                         b.CreateVectorSplat(lanes, count));
}

llvm::Value* FunctionBuilder::native(llvm::Value* x) {
  const unsigned bits = function_->getParent()->getDataLayout().getPointerSizeInBits();
  return b.CreateTrunc(x, b.getIntNTy(bits));
}

llvm::Value* FunctionBuilder::divide(llvm::Value* x, llvm::Value* y) {
  return b.CreateZExt(b.CreateUDiv(native(x), native(y)), x->getType());
}

/// windows_of in type.h.
llvm::Value* FunctionBuilder::quotient(const Dim& steps, const Dim& longest) {
  llvm::Value *x = poly(steps), *y = poly(longest), *one = i64(1);
  const llvm::IRBuilderBase::InsertPoint at = b.saveIP();
  b.restoreIP(entry_.saveIP());
  llvm::Value* all = b.CreateSelect(b.CreateICmpSGT(x, one), x, one);
  llvm::Value* each = b.CreateSelect(b.CreateICmpSGT(y, i64(0)), y, all);
  llvm::Value* result = divide(b.CreateNSWSub(b.CreateNSWAdd(x, each), one), each);
  entry_.restoreIP(b.saveIP());
  b.restoreIP(at);
  return result;
}

llvm::Value* FunctionBuilder::to_float(llvm::Value* x, llvm::Type* type) {
  llvm::Value* size = native(x);
  return size == x ? b.CreateSIToFP(x, type) : b.CreateUIToFP(size, type);
}

namespace {

/// Of a mask that is known, whose first lanes are on: these in whole vectors, each as its first lane and how
/// many it has. A load waits for a store under a mask, and one under a mask for any store, to reach the
/// cache.
using Parts = std::vector<std::pair<unsigned, unsigned>>;
std::optional<Parts> known_parts(llvm::Value* mask) {
  const auto* known = llvm::dyn_cast<llvm::Constant>(mask);
  if (!known) return std::nullopt;
  const unsigned all = llvm::cast<llvm::FixedVectorType>(mask->getType())->getNumElements();
  unsigned end = 0;
  while (end < all && known->getAggregateElement(end)->isOneValue()) ++end;
  Parts parts;
  for (unsigned first = 0; first < end; first += parts.back().second)
    parts.emplace_back(first, std::bit_floor(end - first));
  return parts;
}

}  // namespace

llvm::Value* FunctionBuilder::load(llvm::Type* type, llvm::Value* at, llvm::Align align, llvm::Value* mask) {
  if (!mask) return b.CreateAlignedLoad(type, at, align);
  llvm::Value* all = llvm::Constant::getNullValue(type);
  const std::optional<Parts> parts = known_parts(mask);
  if (!parts) return b.CreateMaskedLoad(type, at, align, mask, all);
  llvm::Type* one = type->getScalarType();
  for (const auto& [first, lanes] : *parts) {
    llvm::Type* some = lanes == 1 ? one : llvm::FixedVectorType::get(one, lanes);
    llvm::Value* v = b.CreateAlignedLoad(some, element(one, at, i64(first)), align);
    all = lanes == 1 ? b.CreateInsertElement(all, v, first) : b.CreateInsertVector(type, all, v, i64(first));
  }
  return all;
}

void FunctionBuilder::store(llvm::Value* v, llvm::Value* at, llvm::Align align, llvm::Value* mask) {
  const std::optional<Parts> parts = mask ? known_parts(mask) : std::nullopt;
  if (!mask) {
    b.CreateAlignedStore(v, at, align);
  } else if (!parts) {
    b.CreateMaskedStore(v, at, align, mask);
  } else {
    for (const auto& [first, lanes] : *parts)
      b.CreateAlignedStore(part(v, first, lanes), element(v->getType()->getScalarType(), at, i64(first)),
                           align);
  }
}

void FunctionBuilder::prefetch(const Access& access, DType dtype, const Values& variables, llvm::Value* count,
                               bool write) {
  llvm::Value* first =
      b.CreateGEP(memory_type(dtype), base(access.buffer), affine_index(*this, access, variables));
  llvm::Value* bytes = mul(count, i64(static_cast<int64_t>(size_of(dtype))));
  auto line = [&](llvm::Value* offset) {
    prefetch_line(b.CreateGEP(b.getInt8Ty(), first, offset), write);  // not in bounds
  };
  auto* known = llvm::dyn_cast<llvm::ConstantInt>(bytes);
  if (!known) return for_each(i64(0), bytes, kCacheLine, line);
  for (int64_t offset = 0; offset < known->getSExtValue(); offset += kCacheLine) line(i64(offset));
}

void FunctionBuilder::prefetch_line(llvm::Value* at, bool write, Near near) {
  const uint32_t locality = near == Near::first_cache ? 3 : 2;
  b.CreateIntrinsic(llvm::Intrinsic::prefetch, {b.getPtrTy()},
                    {at, b.getInt32(write ? 1 : 0), b.getInt32(locality), b.getInt32(1)});
}

llvm::Value* FunctionBuilder::fma(llvm::Value* x, llvm::Value* y, llvm::Value* z) {
  if (target.fma) return b.CreateIntrinsic(llvm::Intrinsic::fma, {x->getType()}, {x, y, z});
  return b.CreateFAdd(b.CreateFMul(x, y), z);
}

}  // namespace rondo::codegen
