// Compiled functions as a static library for C: entries that check their arguments around compiled code, in
// an object that needs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "codegen/target.h"
#include "ir/poly.h"

namespace rondo::codegen {

/// What an entry returns.
enum class Status : int32_t { ok, null_pointer, misaligned, bad_dim, bad_index, bad_save };

/// The largest value of a dim in a call of an entry.
inline constexpr int64_t kMaxDim = (int64_t{1} << 31) - 1;

/// One parameter of an entry, as C has it. A dim is an int64_t.
struct EntryParam {
  enum class Kind : uint8_t { pointer, dim, scalar };
  Kind kind = Kind::pointer;
  std::string name;          // a dim's is that of the named dim
  DType dtype = DType::f32;  // scalar
  ir::Poly bytes;            // pointer: bytes behind it; it may be null where they are none
  uint32_t align = 1;        // pointer
};

/// Where an entry finds something: behind a pointer or in a scalar among its parameters, at the start of one
/// of the library's constants, or in the block of prepared weights that it takes.
struct EntryPlace {
  static constexpr uint32_t kConstants = ~0u, kPrepared = ~0u - 1;
  uint32_t param = kConstants;
  ir::Poly offset = {};   // bytes
  uint32_t constant = 0;  // index into Library::constants, or into Library::given

  /// Whether it holds the same at every call, so that the code may want it packed beforehand.
  bool is_constant() const { return param == kConstants || param == kPrepared; }
};

/// A C function that runs a Func.
struct Entry {
  std::string name;
  ir::Func func;
  std::vector<Signature::Alias> aliases;
  std::vector<EntryParam> params;
  std::vector<EntryPlace> args;  // of the inputs, then of the outputs
  uint32_t scratch = 0;          // its parameter; compile_library sets its bytes
  uint32_t prepared = 0;         // its parameter, if it has a place in kPrepared
};

/// A C function that moves memory.
struct Service {
  struct Step {
    enum class Kind : uint8_t {
      zero,     // bytes at `to`
      copy,     // bytes from `from` to `to`
      prepare,  // the given weights in the block at `from`, as entries read them, to the block at `to`
      put,      // a word of 8 bytes to `to`
      expect,   // a word of 8 bytes at `from`, else the service ends with bad_save
    };
    Kind kind;
    EntryPlace to = {}, from = {};
    ir::Poly bytes = {}, word = {};

    static Step zero(EntryPlace to, ir::Poly bytes);
    static Step copy(EntryPlace to, EntryPlace from, ir::Poly bytes);
    static Step prepare(EntryPlace to, EntryPlace from);
    static Step put(EntryPlace to, ir::Poly word);
    static Step expect(EntryPlace from, ir::Poly word);
  };
  std::string name;
  std::vector<EntryParam> params;
  std::vector<Step> steps;
};

struct Library {
  std::string prefix;   // of every symbol: <prefix>_<entry>
  std::string version;  // what <prefix>_version() returns
  uint64_t hash = 0;    // what <prefix>_model_hash() returns
  /// Read-only data, as far as entries read it: of what they want packed there are packed copies instead.
  std::vector<std::vector<std::byte>> constants;
  /// Weights that the caller brings: their places in the block that a service prepares them from.
  struct Given {
    int64_t offset = 0, bytes = 0;
  };
  std::vector<Given> given;
  std::vector<Entry> entries;
  std::vector<Service> services;

  std::string symbol(const std::string& name) const { return prefix + "_" + name; }
};

/// A polynomial that is at least as large as both, since dims are not negative.
ir::Poly upper_bound(const ir::Poly& a, const ir::Poly& b);

/// What is to be known of an entry.
struct EntryFacts {
  ir::Poly scratch_bytes;   // enough for all dims
  int64_t stack_bytes = 0;  // at most, with all that it calls

  /// Enough for another object as well.
  void include(const EntryFacts& other);
};

struct LibraryObject {
  std::vector<std::byte> bytes;
  std::vector<EntryFacts> entries;
  int64_t prepared_bytes = 0;       // of the block that a service prepares
  int64_t service_stack_bytes = 0;  // at most, of any service
  int64_t code_bytes = 0, data_bytes = 0;
  std::string llvm, assembly;  // as texts, if asked for
  /// For wasm32: the library as a module that runs as it is, with memory of its own. Else empty.
  std::vector<std::byte> module;
};

/// The library as one object file. Several targets are levels of x86-64, lowest first; a call takes the
/// highest that the CPU has, the lowest without a look. Throws Error where a target cannot do without a
/// library of its own.
LibraryObject compile_library(const Library& library, const std::vector<Target>& targets,
                              bool with_texts = false);

/// An entry's Func as its loop program and as assembly, in which each function is a kernel of its name or the
/// whole; for people to read.
struct Listing {
  std::string loops, assembly;
};
Listing list_code(const Entry&, const Target&);

/// The object in an archive, with a symbol table.
std::vector<std::byte> make_archive(const std::string& member, std::span<const std::byte> object);

}  // namespace rondo::codegen
