// A loop program under construction, and where the tensors of the IR are in it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ir/loops.h"
#include "ir/type.h"

namespace rondo::codegen {

/// A tensor in a buffer: where element [i0, i1, ...] lies.
struct View {
  ir::BufferId buffer = ir::kNone;
  ir::Poly offset;
  std::vector<ir::Poly> strides;                       // one per dim of the tensor
  std::vector<std::pair<ir::LoopId, ir::Poly>> outer;  // enclosing time loops

  explicit operator bool() const { return buffer != ir::kNone; }
  bool operator==(const View&) const = default;
};

View whole(ir::BufferId, const ir::Shape&);  // row-major from the buffer's start

/// What all regions of one loop program share.
struct ProgramBuilder {
  ir::LoopProgram program;
  ir::LoopId loops = 0;

  View new_buffer(std::string name, const ir::Type&);
  ir::BufferId new_buffer(std::string name, DType, ir::Poly elements);
};

}  // namespace rondo::codegen
