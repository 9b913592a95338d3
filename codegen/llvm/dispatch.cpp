#include "codegen/llvm/dispatch.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InlineAsm.h>

#include "codegen/llvm/entry.h"

// The features of each level, and the bits of CPUID and XCR0 that tell them: System V ABI, AMD64 supplement,
// section 3.1.1; Intel, Software Developer's Manual, volume 2, CPUID.
namespace rondo::codegen {

namespace {

constexpr uint32_t bits(std::initializer_list<int> numbers) {
  uint32_t mask = 0;
  for (int n : numbers) mask |= uint32_t{1} << n;
  return mask;
}

constexpr uint32_t kOsXsave = bits({27});
// Leaf 1, ECX. v2: SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT. v3: FMA, MOVBE, OSXSAVE, AVX, F16C.
constexpr uint32_t kV2 = bits({0, 9, 13, 19, 20, 23}), kV3 = bits({12, 22, 27, 28, 29});
// Leaf 7, EBX. v3: BMI1, AVX2, BMI2. v4: AVX512F, DQ, CD, BW, VL.
constexpr uint32_t kV3Leaf7 = bits({3, 5, 8}), kV4Leaf7 = bits({16, 17, 28, 30, 31});
// Leaf 0x80000001, ECX. v2: LAHF. v3: LZCNT.
constexpr uint32_t kV2Extended = bits({0}), kV3Extended = bits({5});
// XCR0: the system saves the registers of AVX; of AVX-512.
constexpr uint32_t kAvxState = bits({1, 2}), kAvx512State = bits({1, 2, 5, 6, 7});

class Detector {
 public:
  Detector(llvm::Module& module, llvm::Function* function) : b(module.getContext()), function_(function) {}

  llvm::IRBuilder<> b;

  llvm::BasicBlock* block(const char* name) {
    return llvm::BasicBlock::Create(b.getContext(), name, function_);
  }
  /// EAX, EBX, ECX, EDX of a leaf, subleaf 0.
  llvm::Value* cpuid(uint32_t leaf, unsigned part) {
    llvm::Type* word = b.getInt32Ty();
    auto* results = llvm::StructType::get(b.getContext(), {word, word, word, word});
    auto* type = llvm::FunctionType::get(results, {word, word}, false);
    auto* code = llvm::InlineAsm::get(type, "cpuid",
                                      "={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}", true);
    return b.CreateExtractValue(b.CreateCall(type, code, {b.getInt32(leaf), b.getInt32(0)}), part);
  }
  llvm::Value* xcr0() {
    llvm::Type* word = b.getInt32Ty();
    auto* results = llvm::StructType::get(b.getContext(), {word, word});
    auto* type = llvm::FunctionType::get(results, {word}, false);
    auto* code = llvm::InlineAsm::get(type, "xgetbv", "={ax},={dx},{cx},~{dirflag},~{fpsr},~{flags}", true);
    return b.CreateExtractValue(b.CreateCall(type, code, {b.getInt32(0)}), 0);
  }
  llvm::Value* has(llvm::Value* word, uint32_t mask) {
    return b.CreateICmpEQ(b.CreateAnd(word, b.getInt32(mask)), b.getInt32(mask));
  }

 private:
  llvm::Function* function_;
};

/// The level, given that nothing is known.
llvm::Value* emit_detection(Detector& d) {
  llvm::IRBuilder<>& b = d.b;
  // Leaves that a CPU lacks answer with something else.
  llvm::Value* zero = b.getInt32(0);
  llvm::Value* has_leaf7 = b.CreateICmpUGE(d.cpuid(0, 0), b.getInt32(7));
  llvm::Value* has_extended = b.CreateICmpUGE(d.cpuid(0x80000000, 0), b.getInt32(0x80000001));
  llvm::Value* basic = d.cpuid(1, 2);
  llvm::Value* leaf7 = b.CreateSelect(has_leaf7, d.cpuid(7, 1), zero);
  llvm::Value* extended = b.CreateSelect(has_extended, d.cpuid(0x80000001, 2), zero);

  // XGETBV is an instruction only where the system uses it.
  llvm::BasicBlock *before = b.GetInsertBlock(), *ask = d.block("ask"), *asked = d.block("asked");
  b.CreateCondBr(d.has(basic, kOsXsave), ask, asked);
  b.SetInsertPoint(ask);
  llvm::Value* answer = d.xcr0();
  b.CreateBr(asked);
  b.SetInsertPoint(asked);
  llvm::PHINode* saved = b.CreatePHI(b.getInt32Ty(), 2);
  saved->addIncoming(zero, before);
  saved->addIncoming(answer, ask);

  llvm::Value* v2 = b.CreateAnd(d.has(basic, kV2), d.has(extended, kV2Extended));
  llvm::Value* v3 = b.CreateAnd(
      {v2, d.has(basic, kV3), d.has(leaf7, kV3Leaf7), d.has(extended, kV3Extended), d.has(saved, kAvxState)});
  llvm::Value* v4 = b.CreateAnd({v3, d.has(leaf7, kV4Leaf7), d.has(saved, kAvx512State)});
  llvm::Value* level = b.getInt32(1);
  for (llvm::Value* more : {v2, v3, v4}) level = b.CreateAdd(level, b.CreateZExt(more, b.getInt32Ty()));
  return level;
}

}  // namespace

llvm::Function* emit_cpu_level(llvm::Module& module, const Target& target, const std::string& name) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* word = llvm::Type::getInt32Ty(context);
  llvm::Function* function = declare_entry(module, target, name, llvm::FunctionType::get(word, false));
  auto* known = new llvm::GlobalVariable(module, word, false, llvm::GlobalValue::InternalLinkage,
                                         llvm::ConstantInt::get(word, 0), name + "_known");
  Detector d(module, function);
  llvm::IRBuilder<>& b = d.b;
  llvm::BasicBlock* entry = d.block("entry");
  llvm::BasicBlock *detect = d.block("detect"), *done = d.block("done");
  b.SetInsertPoint(entry);
  llvm::LoadInst* remembered = b.CreateAlignedLoad(word, known, llvm::Align(4));
  remembered->setAtomic(llvm::AtomicOrdering::Monotonic);
  b.CreateCondBr(b.CreateICmpEQ(remembered, b.getInt32(0)), detect, done);
  b.SetInsertPoint(detect);
  llvm::Value* level = emit_detection(d);
  b.CreateAlignedStore(level, known, llvm::Align(4))->setAtomic(llvm::AtomicOrdering::Monotonic);
  llvm::BasicBlock* detected = b.GetInsertBlock();
  b.CreateBr(done);
  b.SetInsertPoint(done);
  llvm::PHINode* result = b.CreatePHI(word, 2);
  result->addIncoming(remembered, entry);
  result->addIncoming(level, detected);
  b.CreateRet(result);
  return function;
}

}  // namespace rondo::codegen
