#include "codegen/llvm/entry.h"

#include <algorithm>

#include "support/error.h"

namespace rondo::codegen {

using namespace ir;

namespace {

llvm::Type* scalar_type(llvm::LLVMContext& context, DType dtype) {
  switch (dtype) {
    case DType::f32: return llvm::Type::getFloatTy(context);
    case DType::f64: return llvm::Type::getDoubleTy(context);
    case DType::i32: return llvm::Type::getInt32Ty(context);
    case DType::pred: return llvm::Type::getInt8Ty(context);
  }
  RONDO_CHECK(false, "no dtype");
}

}  // namespace

llvm::FunctionType* entry_type(llvm::LLVMContext& context, const std::vector<EntryParam>& params) {
  std::vector<llvm::Type*> types;
  for (const EntryParam& p : params)
    types.push_back(p.kind == EntryParam::Kind::pointer
                        ? static_cast<llvm::Type*>(llvm::PointerType::get(context, 0))
                    : p.kind == EntryParam::Kind::dim ? llvm::Type::getInt64Ty(context)
                                                      : scalar_type(context, p.dtype));
  return llvm::FunctionType::get(llvm::Type::getInt32Ty(context), types, false);
}

llvm::Function* declare_entry(llvm::Module& module, const Target& target, const std::string& name,
                              llvm::FunctionType* type) {
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module);
  RONDO_CHECK(function->getName() == name, "two symbols " + name);
  function->addFnAttr("no-builtins");
  function->addFnAttr("target-cpu", target.cpu);
  function->addFnAttr("target-features", target.features);
  function->setDoesNotThrow();
  // Some ABIs have the caller widen small integers, as C compilers do.
  auto widened = [](llvm::Type* t) { return t->isIntegerTy() && t->getIntegerBitWidth() <= 32; };
  if (widened(type->getReturnType())) function->addRetAttr(llvm::Attribute::SExt);
  for (unsigned i = 0; i < type->getNumParams(); ++i)
    if (widened(type->getParamType(i)))
      function->addParamAttr(
          i, type->getParamType(i)->isIntegerTy(8) ? llvm::Attribute::ZExt : llvm::Attribute::SExt);
  return function;
}

EntryBuilder::EntryBuilder(llvm::Module& module, const Target& target, const std::string& name,
                           std::vector<EntryParam> params,
                           const std::vector<llvm::GlobalVariable*>& constants)
    : b(module.getContext()),
      function_(module.getFunction(name)),
      params_(std::move(params)),
      constants_(constants) {
  if (!function_) function_ = declare_entry(module, target, name, entry_type(module.getContext(), params_));
  b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "entry", function_));
  for (unsigned i = 0; i < params_.size(); ++i) {
    function_->getArg(i)->setName(params_[i].name);
    if (params_[i].kind == EntryParam::Kind::dim) dims_[params_[i].name] = function_->getArg(i);
  }
}

void EntryBuilder::fail_if(llvm::Value* condition, Status status) {
  llvm::LLVMContext& context = b.getContext();
  auto* fails = llvm::BasicBlock::Create(context, "fails", function_);
  auto* goes_on = llvm::BasicBlock::Create(context, "goes_on", function_);
  b.CreateCondBr(condition, fails, goes_on);
  b.SetInsertPoint(fails);
  finish(status);
  b.SetInsertPoint(goes_on);
}

void EntryBuilder::check_params() {
  for (const auto& [name, value] : dims_)  // one unsigned comparison covers both ends
    fail_if(b.CreateICmpUGT(value, b.getInt64(kMaxDim)), Status::bad_dim);
  for (unsigned i = 0; i < params_.size(); ++i) {
    const EntryParam& p = params_[i];
    if (p.kind != EntryParam::Kind::pointer || p.bytes.is_zero()) continue;
    llvm::Value* address = b.CreatePtrToInt(function_->getArg(i), b.getInt64Ty());
    llvm::Value* none = b.CreateICmpEQ(address, b.getInt64(0));
    llvm::Value* used = b.CreateICmpNE(poly(p.bytes), b.getInt64(0));
    fail_if(b.CreateAnd(none, used), Status::null_pointer);
    if (p.align > 1)
      fail_if(b.CreateICmpNE(b.CreateAnd(address, b.getInt64(p.align - 1)), b.getInt64(0)),
              Status::misaligned);
  }
}

void EntryBuilder::check_indices(const EntryPlace& place, const Poly& count, const IndexBound& bound) {
  llvm::Value *first = address(place), *low = b.getInt64(bound.low);
  llvm::Value* size = b.CreateSub(poly(bound.bound), low);
  for_each(poly(count), [&](llvm::Value* i) {
    llvm::Value* at = b.CreateInBoundsGEP(b.getInt32Ty(), first, i);
    llvm::Value* id = b.CreateSExt(b.CreateAlignedLoad(b.getInt32Ty(), at, llvm::Align(4)), b.getInt64Ty());
    // As an unsigned number, what is below the range is at least 2^63, more than any size.
    fail_if(b.CreateICmpUGE(b.CreateSub(id, low), size), Status::bad_index);
  });
}

void EntryBuilder::run(const Service::Step& step) {
  using Kind = Service::Step::Kind;
  // Saved states may stand anywhere.
  const llvm::Align align(1);
  llvm::Type* word = b.getInt64Ty();
  if (step.kind == Kind::put) {
    b.CreateAlignedStore(poly(step.word), address(step.to), align);
  } else if (step.kind == Kind::expect) {
    fail_if(b.CreateICmpNE(b.CreateAlignedLoad(word, address(step.from), align), poly(step.word)),
            Status::bad_save);
  } else {
    llvm::Value* to = address(step.to);
    llvm::Value* from = step.kind == Kind::copy ? address(step.from) : nullptr;
    for_each(b.CreateLShr(poly(step.bytes), 3), [&](llvm::Value* i) {
      llvm::Value* value = from ? static_cast<llvm::Value*>(
                                      b.CreateAlignedLoad(word, b.CreateInBoundsGEP(word, from, i), align))
                                : b.getInt64(0);
      b.CreateAlignedStore(value, b.CreateInBoundsGEP(word, to, i), align);
    });
  }
}

llvm::Value* EntryBuilder::poly(const Poly& p) {
  llvm::Value* sum = b.getInt64(0);
  for (const auto& [names, coefficient] : p.terms()) {
    llvm::Value* product = b.getInt64(static_cast<uint64_t>(coefficient));
    for (const std::string& name : names) product = b.CreateMul(product, dim(name));
    sum = b.CreateAdd(sum, product);
  }
  return sum;
}

llvm::Value* EntryBuilder::address(const EntryPlace& place) {
  if (place.param == EntryPlace::kConstants) return constants_.at(place.constant);
  if (params_[place.param].kind == EntryParam::Kind::scalar) return scalar_memory(place.param);
  return b.CreateInBoundsGEP(b.getInt8Ty(), function_->getArg(place.param), poly(place.offset));
}

llvm::Value* EntryBuilder::scalar_memory(uint32_t param) {
  llvm::Value*& memory = scalars_[param];
  if (memory) return memory;
  memory = stack(function_->getArg(param)->getType(), 1);
  b.CreateStore(function_->getArg(param), memory);
  return memory;
}

llvm::Value* EntryBuilder::stack(llvm::Type* type, uint64_t count) {
  llvm::BasicBlock& entry = function_->getEntryBlock();
  return llvm::IRBuilder<>(&entry, entry.begin()).CreateAlloca(type, b.getInt64(count));
}

void EntryBuilder::for_each(llvm::Value* count, const std::function<void(llvm::Value*)>& body) {
  llvm::LLVMContext& context = b.getContext();
  llvm::BasicBlock* before = b.GetInsertBlock();
  auto* loop = llvm::BasicBlock::Create(context, "loop", function_);
  auto* done = llvm::BasicBlock::Create(context, "done", function_);
  b.CreateCondBr(b.CreateICmpEQ(count, b.getInt64(0)), done, loop);
  b.SetInsertPoint(loop);
  llvm::PHINode* i = b.CreatePHI(b.getInt64Ty(), 2, "i");
  i->addIncoming(b.getInt64(0), before);
  body(i);
  llvm::Value* next = b.CreateAdd(i, b.getInt64(1));
  i->addIncoming(next, b.GetInsertBlock());
  b.CreateCondBr(b.CreateICmpEQ(next, count), done, loop);
  b.SetInsertPoint(done);
}

}  // namespace rondo::codegen
