#include "frontend/arrays.h"

namespace rondo {

ir::Array array_of(const Buffer& buffer) {
  ir::Array array{buffer.dtype(), buffer.shape(), {}};
  auto copy = [&](const auto& elements) { array.data.assign(elements.begin(), elements.end()); };
  switch (buffer.dtype()) {
    case DType::f32: copy(buffer.as<float>()); break;
    case DType::f64: copy(buffer.as<double>()); break;
    case DType::i32: copy(buffer.as<int32_t>()); break;
    case DType::pred: copy(std::span(static_cast<const uint8_t*>(buffer.data()), buffer.bytes()));
  }
  return array;
}

}  // namespace rondo
