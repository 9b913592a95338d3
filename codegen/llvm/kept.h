// Elements of buffers that straight code has loaded or stored before: they are still in registers.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "codegen/llvm/values.h"

namespace rondo::codegen {

/// What the code of a row keeps while it is emitted. Code in loops and behind conditions finds what was kept
/// before, and adds nothing.
class KeptValues {
 public:
  /// `own`: buffers that nothing reads afterwards.
  KeptValues(FunctionBuilder& f, const std::vector<ir::BufferId>& own)
      : f_(f), own_(own), depth_(f.depth()) {}

  /// Elements that follow each other.
  struct Place {
    ir::BufferId buffer;
    ir::Poly first;
    std::map<ir::LoopId, ir::Poly> loops;  // strides
    unsigned lanes;
    llvm::Value* mask;
    bool operator==(const Place&) const = default;
  };
  /// The elements that an access reaches at a point, if that does not vary within the code.
  static std::optional<Place> place_of(const ir::Access&, const Scope&);

  llvm::Value* find(const Place&) const;
  void loaded(ir::BufferId, const std::optional<Place>&, llvm::Value*);
  /// `code`: the instructions that store it.
  void stored(ir::BufferId, const std::optional<Place>&, llvm::Value*, std::vector<llvm::Instruction*> code);
  /// Removes stores to own buffers that were never loaded from memory.
  void remove_stores();

 private:
  struct Entry {
    Place place;
    llvm::Value* value;
  };
  struct Use {
    bool loaded = false;
    std::vector<llvm::Instruction*> stores;
  };

  static bool apart(const Place&, const Place&);
  void forget(ir::BufferId, const std::optional<Place>&);

  FunctionBuilder& f_;
  const std::vector<ir::BufferId>& own_;
  int depth_;
  std::map<ir::BufferId, std::vector<Entry>> entries_;
  std::map<ir::BufferId, Use> uses_;
};

}  // namespace rondo::codegen
