#include "frontend/tensor.h"

#include <fmt/format.h>

#include "frontend/ops.h"
#include "frontend/region.h"

namespace rondo {

const Dim& Tensor::dim(int64_t axis, Where where) const {
  if (axis < -rank() || axis >= rank())
    fail(fmt::format("{} has no axis {}", ir::to_string(type_), axis), where);
  return type_.shape[axis < 0 ? axis + rank() : axis];
}

Operand::Operand(const Param& param, Where where) : tensor_(param.tensor(where)), where_(where) {}

Tensor Operand::tensor() const { return is_number_ ? constant(number_, Shape{}, where_) : tensor_; }

}  // namespace rondo
