// The element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rondo {

enum class DType : uint8_t { f32, f64, i32, pred };

/// Bytes of one element; a pred takes one byte, 0 or 1.
size_t size_of(DType);
/// "f32", "f64", "i32" or "pred".
std::string_view name_of(DType);
std::optional<DType> parse_dtype(std::string_view name);
inline bool is_float(DType t) { return t == DType::f32 || t == DType::f64; }

}  // namespace rondo
