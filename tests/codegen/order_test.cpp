// The order of instructions in functions whose time is that of a chain of operations.
#include "codegen/llvm/order.h"

#include <gtest/gtest.h>
#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/SourceMgr.h>

#include <sstream>
#include <string>

#include "codegen/llvm/machine.h"

namespace rondo::codegen {
namespace {

class Order : public testing::Test {
 protected:
  /// The names of the results of a function's instructions, and "store", in their order afterwards.
  std::string ordered(const std::string& body, const std::string& attribute = "\"rondo-chain\"=\"16\"") {
    llvm::SMDiagnostic problem;
    module_ = llvm::parseAssemblyString("define void @f(ptr %p, ptr %q, <8 x float> %x, <8 x float> %y) " +
                                            attribute + " {\n" + body +
                                            "  ret void\n}\ndefine void @g() {\n  ret void\n}\n",
                                        problem, context_);
    if (!module_) throw std::runtime_error(problem.getMessage().str());
    order_by_chains(*module_);
    EXPECT_FALSE(llvm::verifyModule(*module_));
    std::string names;
    for (const llvm::Instruction& i : module_->getFunction("f")->getEntryBlock())
      if (!i.isTerminator())
        names += (names.empty() ? "" : " ") + (i.hasName() ? i.getName().str() : i.getOpcodeName());
    return names;
  }

  llvm::LLVMContext context_;
  std::unique_ptr<llvm::Module> module_;
};

constexpr const char* kTwoSums = R"(
  %a = fadd <8 x float> %x, %y
  %b = fsub <8 x float> %x, %y
  %c = fdiv <8 x float> %x, %y
  %d = fmul <8 x float> %x, %x
  %ab = fadd <8 x float> %a, %b
  %cd = fadd <8 x float> %c, %d
  store <8 x float> %ab, ptr %p
  store <8 x float> %cd, ptr %q
)";

TEST_F(Order, WhatTheLongestChainFollowsStandsFirst) {
  EXPECT_EQ(ordered(kTwoSums), "c a b d ab cd store store");
}

TEST_F(Order, WhereManyWaitOneThatFreesARegisterComesFirst) {
  EXPECT_EQ(ordered(kTwoSums, "\"rondo-chain\"=\"2\""), "c a b ab store d cd store");
}

TEST_F(Order, OtherFunctionsStay) { EXPECT_EQ(ordered(kTwoSums, "noinline"), "a b c d ab cd store store"); }

TEST_F(Order, ALoadStandsBeforeItsFirstUser) {
  EXPECT_EQ(ordered(R"(
  %at = getelementptr i8, ptr %p, i64 32
  %u = load <8 x float>, ptr %at
  %v = load <8 x float>, ptr %q
  %a = fadd <8 x float> %x, %v
  %b = fadd <8 x float> %a, %u
  store <8 x float> %b, ptr %q
)"),
            "v a at u b store");
}

TEST_F(Order, MemoryIsReadAndWrittenInItsOrder) {
  EXPECT_EQ(ordered(R"(
  %u = load <8 x float>, ptr %p
  %a = fadd <8 x float> %u, %x
  store <8 x float> %x, ptr %p
  %v = load <8 x float>, ptr %p
  %b = fdiv <8 x float> %v, %y
  %c = fdiv <8 x float> %b, %y
  store <8 x float> %c, ptr %q
  store <8 x float> %a, ptr %q
)"),
            "u store v b c a store store");
}

TEST_F(Order, LlvmsSchedulersLeaveItAlone) {
  ordered(kTwoSums);
  {
    KeepOrder keep(*module_);
    EXPECT_EQ(&context_.getOptPassGate(), &keep);
    for (const char* scheduler :
         {"Live Range Shrink", "Machine Instruction Scheduler", "Post RA top-down list latency scheduler"}) {
      EXPECT_FALSE(keep.shouldRunPass(scheduler, "function (f)"));
      EXPECT_TRUE(keep.shouldRunPass(scheduler, "function (g)"));
    }
    EXPECT_TRUE(keep.shouldRunPass("Greedy Register Allocator", "function (f)"));
  }
  EXPECT_FALSE(context_.getOptPassGate().isEnabled());
}

TEST_F(Order, MachineCodeStandsInIt) {
  ordered(kTwoSums);
  const auto machine = machine_for("x86_64-unknown-linux-gnu", "x86-64-v3", "");
  std::istringstream lines(assembly(*module_, *machine));
  std::string order;
  for (std::string word; lines >> word;)
    for (const char* operation : {"vdivps", "vaddps", "vsubps", "vmulps"})
      if (word == operation) order += word + " ";
  EXPECT_EQ(order, "vdivps vaddps vsubps vmulps vaddps vaddps ");
}

}  // namespace
}  // namespace rondo::codegen
