// What a library has, decided before any code or text of it is made: memory layouts, entries, C names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/library.h"
#include "frontend/library/library.h"

namespace rondo::library {

/// The named dims of a size, sorted.
std::vector<std::string> dims_of(const ir::Poly&);

/// Tensors in one block of the caller's memory. Offsets are multiples of 64 for all dims.
struct Layout {
  struct Item {
    std::string name;
    ir::Type type;
    ir::Poly offset;
  };
  std::vector<Item> items;
  ir::Poly bytes;

  /// The item, added at the end if it is new. Throws Error if there is one of that name and another type.
  const Item& place(const std::string& name, const ir::Type& type, const std::string& user);
  std::vector<std::string> dims() const { return dims_of(bytes); }
};

/// One parameter of an entry: for C, and for people.
struct CParam {
  enum class Role { weights, prepared, optimizer, state, scratch, dim, input, output };
  Role role;
  std::string name;   // a C identifier
  std::string title;  // as the function has it
  std::string type;   // C's: "const float*"
  ir::Type tensor;    // inputs and outputs
};

struct PlannedEntry {
  Function function;  // after its passes
  ir::Func traced;    // before them
  std::string name;
  std::vector<CParam> params;  // beside those of codegen's Entry
  codegen::EntryFacts facts;   // known once the code is made

  /// The dims that its scratch depends on, in the order of the parameters.
  std::vector<std::string> scratch_dims() const;
};

struct Plan {
  std::string name, prefix;
  bool weights_given =
      false;  // the caller's memory holds them; functions that only read them take them prepared
  bool weights_change = false;  // an entry updates them
  Layout weights, optimizer, state;
  std::vector<std::byte> weight_bytes;  // laid out; empty if not known
  std::vector<PlannedEntry> entries;
  codegen::Library library;
  int64_t prepared_bytes = 0, service_stack_bytes = 0;  // known once the code is made

  bool prepares() const { return !library.given.empty(); }
};

/// Throws Error for functions that do not go together, weights that do not fit, names that are none in C.
Plan plan_library(const std::vector<Function>& functions, const Weights& weights,
                  const LibraryOptions& options);

/// The files' texts.
std::string c_header(const Plan&);
std::string cpp_wrapper(const Plan&);
std::string weights_header(const Plan&);
std::string selftest(const Plan&, const Weights&, const LibraryOptions&);
/// <name>.mjs, which loads <name>.wasm and calls it.
std::string wasm_loader(const Plan&);
/// One page, in HTML, of what became of each function: see page.cpp.
std::string page(const Plan&, const std::vector<codegen::Target>&);

}  // namespace rondo::library
