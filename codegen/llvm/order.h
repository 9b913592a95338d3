// The order of instructions in functions whose time is that of a chain of operations.
#pragma once

#include <llvm/IR/Module.h>
#include <llvm/IR/OptBisect.h>

namespace rondo::codegen {

/// The attribute of such a function; its value: how many values in registers may wait for others.
inline constexpr const char* kChain = "rondo-chain";

/// Orders the instructions of each block of the functions with that attribute: a processor starts, of those
/// that are ready, the one that stands first, which so is one that the longest chain of operations follows.
/// Where more values wait than may, those come first that free a register.
void order_by_chains(llvm::Module&);

/// Keeps LLVM's own schedulers from functions that are in that order: they would rather save registers.
class KeepOrder : public llvm::OptPassGate {
 public:
  explicit KeepOrder(llvm::Module&);
  ~KeepOrder() override;
  KeepOrder(const KeepOrder&) = delete;
  bool isEnabled() const override { return true; }
  bool shouldRunPass(llvm::StringRef pass, llvm::StringRef where) override;

 private:
  llvm::Module& module_;
  llvm::OptPassGate& before_;
};

}  // namespace rondo::codegen
