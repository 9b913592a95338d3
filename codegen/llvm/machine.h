// What every way to machine code shares: LLVM's machine of a target, the passes that pay, files of code.
#pragma once

#include <llvm/IR/Module.h>
#include <llvm/Support/Error.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "support/error.h"
#include "support/stopwatch.h"

namespace rondo::codegen {

/// Throws Error for a triple or CPU that LLVM does not know.
std::unique_ptr<llvm::TargetMachine> machine_for(const std::string& triple, const std::string& cpu,
                                                 const std::string& features);

/// Throws InternalError if LLVM finds the module malformed.
void verify(const llvm::Module&);
/// The few passes that pay: vectors, tiles and unrolling come from the emission, so that no loop needs to be
/// found again.
void optimize(llvm::Module&, llvm::TargetMachine&);
std::unique_ptr<llvm::MemoryBuffer> machine_code(llvm::Module&, llvm::TargetMachine&, llvm::CodeGenFileType);
std::string to_string(const llvm::Module&);
/// The module as assembly; the module itself stays as it is.
std::string assembly(const llvm::Module&, llvm::TargetMachine&);

/// The symbols that an object file expects from elsewhere.
std::vector<std::string> undefined_symbols(llvm::MemoryBufferRef object);

template <class T>
T expect(llvm::Expected<T> result) {
  if (!result) throw InternalError("rondo: LLVM: " + llvm::toString(result.takeError()));
  return std::move(*result);
}
inline void expect(llvm::Error error) {
  if (error) throw InternalError("rondo: LLVM: " + llvm::toString(std::move(error)));
}

}  // namespace rondo::codegen
