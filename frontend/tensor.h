// Tensors of the function that is being traced, what ops take, and the operators.
#pragma once

#include <cstdint>

#include "frontend/where.h"
#include "ir/func.h"

namespace rondo {

using ir::Dim;
using ir::Shape;
using ir::Type;

inline constexpr DType f32 = DType::f32;
inline constexpr DType f64 = DType::f64;
inline constexpr DType i32 = DType::i32;
inline constexpr DType pred = DType::pred;

class Region;
class Param;

/// A value of the function that is being traced: a handle, cheap to copy.
class Tensor {
 public:
  Tensor() = default;

  const Type& type() const { return type_; }
  DType dtype() const { return type_.dtype; }
  const Shape& shape() const { return type_.shape; }
  int rank() const { return type_.rank(); }
  /// One extent; negative axes count from the last.
  const Dim& dim(int64_t axis, Where where = Where::here()) const;

 private:
  friend class Region;
  Tensor(uint64_t region, ir::Value value, Type type)
      : region_(region), value_(value), type_(std::move(type)) {}

  uint64_t region_ = 0;  // the Region it belongs to; 0: none
  ir::Value value_;
  Type type_;
};

/// What every op takes: a tensor, a parameter or a number, and the place where the user passed it.
///
/// A number takes the dtype and shape of the other operand. A tensor whose shape is a suffix of the other's
/// (a scalar, or a bias [H] beside [B,H]) is repeated along the leading dims. There is no other broadcasting:
/// see `expand`.
class Operand {
 public:
  Operand(const Tensor& tensor, Where where = Where::here())
      : tensor_(tensor), where_(where) {}                    // NOLINT: implicit
  Operand(const Param& param, Where where = Where::here());  // NOLINT
  Operand(double number, Where where = Where::here())
      : is_number_(true), number_(number), where_(where) {}  // NOLINT

  bool is_number() const { return is_number_; }
  double number() const { return number_; }
  const Where& where() const { return where_; }
  /// The tensor; a number becomes a scalar of the traced function's dtype.
  Tensor tensor() const;
  operator Tensor() const { return tensor(); }  // NOLINT: library functions pass operands on as tensors

 private:
  Tensor tensor_;
  bool is_number_ = false;
  double number_ = 0;
  Where where_;
};

Tensor operator+(Operand a, Operand b);
Tensor operator-(Operand a, Operand b);
Tensor operator*(Operand a, Operand b);
Tensor operator/(Operand a, Operand b);
Tensor operator-(Operand a);

}  // namespace rondo
