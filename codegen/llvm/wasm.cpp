#include "codegen/llvm/wasm.h"

#include <llvm/ADT/StringExtras.h>
#include <llvm/BinaryFormat/Wasm.h>
#include <llvm/Object/Wasm.h>
#include <llvm/Support/LEB128.h>

#include <algorithm>
#include <memory>
#include <string>

#include "codegen/llvm/machine.h"

namespace rondo::codegen {

namespace {

using namespace llvm::wasm;
using llvm::object::WasmObjectFile;

constexpr int64_t kAlign = 64, kPage = 65536;

int64_t round_up(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

/// The binary format in the making.
class Bytes {
 public:
  Bytes& number(uint64_t n) {
    uint8_t buffer[10];
    return raw({reinterpret_cast<const char*>(buffer), llvm::encodeULEB128(n, buffer)});
  }
  Bytes& text(llvm::StringRef text) { return number(text.size()).raw(text); }
  Bytes& raw(llvm::StringRef bytes) {
    data_ += bytes;
    return *this;
  }
  Bytes& global(bool writable, int64_t value) {
    uint8_t buffer[10];
    number(WASM_TYPE_I32).number(writable).number(WASM_OPCODE_I32_CONST);
    raw({reinterpret_cast<const char*>(buffer), llvm::encodeSLEB128(value, buffer)});
    return number(WASM_OPCODE_END);
  }
  Bytes& section(unsigned id, llvm::StringRef body) { return number(id).text(body); }

  llvm::StringRef data() const { return data_; }

 private:
  std::string data_;
};

/// Where the object's data ends. LLVM places it from 0 on, and writes addresses into the object accordingly:
/// "relocated" to 0, they are right already, as all indices are in a module of one object.
int64_t end_of_data(const WasmObjectFile& file) {
  int64_t end = 0;
  for (const llvm::object::WasmSegment& segment : file.dataSegments()) {
    const WasmInitExpr& offset = segment.Data.Offset;
    RONDO_CHECK(!offset.Extended && offset.Inst.Opcode == WASM_OPCODE_I32_CONST, "data without an address");
    end = std::max(end, offset.Inst.Value.Int32 + static_cast<int64_t>(segment.Data.Content.size()));
  }
  return end;
}

/// How many globals the object imports: the stack's pointer, if that.
uint32_t imported_globals(const WasmObjectFile& file) {
  uint32_t globals = 0;
  for (const WasmImport& import : file.imports()) {
    RONDO_CHECK(of_linker(import.Field), "imports " + import.Field.str());
    globals += import.Kind == WASM_EXTERNAL_GLOBAL;
  }
  RONDO_CHECK(file.globals().empty() && file.elements().empty() && file.getNumImportedFunctions() == 0,
              "an object of functions and data alone");
  return globals;
}

std::string exports(const WasmObjectFile& file, uint32_t heap_base) {
  Bytes list;
  uint32_t count = 2;
  list.text("memory").number(WASM_EXTERNAL_MEMORY).number(0);
  list.text("heap_base").number(WASM_EXTERNAL_GLOBAL).number(heap_base);
  for (const llvm::object::SymbolRef& ref : file.symbols()) {
    const llvm::object::WasmSymbol& symbol = file.getWasmSymbol(ref);
    if (!symbol.isTypeFunction() || !symbol.isDefined() || !symbol.isBindingGlobal() || symbol.isHidden())
      continue;
    list.text(symbol.Info.Name).number(WASM_EXTERNAL_FUNCTION).number(symbol.Info.ElementIndex);
    ++count;
  }
  return Bytes().number(count).raw(list.data()).data().str();
}

}  // namespace

bool of_linker(llvm::StringRef symbol) {
  return symbol == "__linear_memory" || symbol == "__stack_pointer" || symbol == "__indirect_function_table";
}

std::vector<std::byte> wasm_module(llvm::MemoryBufferRef object, int64_t stack_bytes) {
  const std::unique_ptr<WasmObjectFile> file = expect(llvm::object::ObjectFile::createWasmObjectFile(object));
  const uint32_t stack_pointers = imported_globals(*file);
  // Data, then the stack, which grows down to it, then the heap.
  const int64_t heap_base = round_up(end_of_data(*file), kAlign) + round_up(stack_bytes, kAlign);
  const int64_t pages = round_up(heap_base, kPage) / kPage;

  Bytes module;
  module.raw({"\0asm\1\0\0\0", 8});
  auto copy = [&](unsigned id) {
    for (const llvm::object::SectionRef& ref : file->sections())
      if (const llvm::object::WasmSection& section = file->getWasmSection(ref); section.Type == id)
        module.section(id, llvm::toStringRef(section.Content));
  };
  copy(WASM_SEC_TYPE);
  copy(WASM_SEC_FUNCTION);
  module.section(WASM_SEC_MEMORY, Bytes().number(1).number(0).number(pages).data());
  Bytes globals;
  globals.number(stack_pointers + 1);
  if (stack_pointers) globals.global(true, heap_base);
  module.section(WASM_SEC_GLOBAL, globals.global(false, heap_base).data());
  module.section(WASM_SEC_EXPORT, exports(*file, stack_pointers));
  copy(WASM_SEC_DATACOUNT);
  copy(WASM_SEC_CODE);
  copy(WASM_SEC_DATA);
  const auto* first = reinterpret_cast<const std::byte*>(module.data().data());
  return {first, first + module.data().size()};
}

}  // namespace rondo::codegen
