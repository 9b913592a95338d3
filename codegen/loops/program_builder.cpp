#include "codegen/loops/program_builder.h"

#include "codegen/loops/split_kernels.h"

namespace rondo::codegen {

using namespace ir;

View whole(BufferId buffer, const Shape& shape) { return {buffer, 0, row_major_strides(shape), {}}; }

View ProgramBuilder::new_buffer(std::string name, const Type& type) {
  const BufferId id = new_buffer(std::move(name), type.dtype, element_count(type.shape));
  if (!type.shape.empty() && Poly(type.shape.back()).is_constant())
    program.buffers[id].row = Poly(type.shape.back()).constant();
  return whole(id, type.shape);
}

BufferId ProgramBuilder::new_buffer(std::string name, DType dtype, Poly elements) {
  Buffer buffer;
  buffer.name = std::move(name);
  buffer.dtype = dtype;
  buffer.size = at_most(program, elements);
  program.buffers.push_back(std::move(buffer));
  return static_cast<BufferId>(program.buffers.size() - 1);
}

}  // namespace rondo::codegen
