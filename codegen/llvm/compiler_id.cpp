#include <fmt/format.h>
#include <llvm-c/Core.h>
#include <llvm/ADT/ArrayRef.h>
#include <llvm/Support/BLAKE3.h>

#include "codegen/compiler_id.h"

namespace rondo::codegen {

std::string compiler_id() {
  unsigned major = 0, minor = 0, patch = 0;
  LLVMGetVersion(&major, &minor, &patch);
  return fmt::format("{} LLVM {}.{}.{}", kBuildId, major, minor, patch);
}

std::string digest(std::string_view text) {
  const auto bytes = llvm::BLAKE3::hash<32>({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  return {bytes.begin(), bytes.end()};
}

}  // namespace rondo::codegen
