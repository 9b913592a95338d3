// An object of WebAssembly -> a module that runs.
#pragma once

#include <llvm/Support/MemoryBufferRef.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rondo::codegen {

/// The module that the object alone makes, so that no linker is needed. It imports nothing and exports its
/// functions, "memory" and "heap_base", where memory begins that nothing uses. The object may have undefined
/// symbols of linkers only (see of_linker); each call may take so much of the stack.
std::vector<std::byte> wasm_module(llvm::MemoryBufferRef object, int64_t stack_bytes);

/// Whether a symbol is one that a linker makes by itself.
bool of_linker(llvm::StringRef symbol);

}  // namespace rondo::codegen
