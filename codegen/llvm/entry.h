// Builds the C functions of a library: their checks, and simple moves of memory.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "codegen/library.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// A function int32_t name(params...) under construction. It returns a Status.
class EntryBuilder {
 public:
  EntryBuilder(llvm::Module&, const Target&, const std::string& name, std::vector<EntryParam> params,
               const std::vector<llvm::GlobalVariable*>& constants);

  llvm::IRBuilder<> b;

  /// Returns early where a dim is out of range, a pointer is null or misaligned.
  void check_params();
  /// Returns early where one of so many i32 is outside of the bound.
  void check_indices(const EntryPlace&, const ir::Poly& count, const ir::IndexBound& bound);
  void run(const Service::Step&);
  void finish(Status status = Status::ok) { b.CreateRet(code(status)); }

  llvm::Value* poly(const ir::Poly&);
  llvm::Value* dim(const std::string& name) const { return dims_.at(name); }
  /// The address of a place. A scalar gets one on the stack.
  llvm::Value* address(const EntryPlace&);
  /// Room in the function's frame.
  llvm::Value* stack(llvm::Type*, uint64_t count);

 private:
  llvm::Value* code(Status status) { return b.getInt32(static_cast<uint32_t>(status)); }
  void fail_if(llvm::Value* condition, Status);
  void for_each(llvm::Value* count, const std::function<void(llvm::Value* i)>& body);
  llvm::Value* scalar_memory(uint32_t param);

  llvm::Function* function_;
  std::vector<EntryParam> params_;
  const std::vector<llvm::GlobalVariable*>& constants_;
  std::map<std::string, llvm::Value*> dims_;
  std::map<uint32_t, llvm::Value*> scalars_;
};

/// Declares a function of a library, of the given type; internal functions that follow get other names.
llvm::Function* declare_entry(llvm::Module&, const Target&, const std::string& name, llvm::FunctionType*);
llvm::FunctionType* entry_type(llvm::LLVMContext&, const std::vector<EntryParam>&);

}  // namespace rondo::codegen
