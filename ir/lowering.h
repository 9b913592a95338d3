// What an op's `lower` and `place` rules see: element-by-element meaning, in terms of scalars.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ir/func.h"
#include "ir/loops.h"

namespace rondo::ir {

/// An affine function of the variables in scope: offset + sum of coef[i] * variable i.
struct Index {
  int64_t offset = 0;
  std::vector<int64_t> coef;  // may be shorter than the scope; the rest is 0

  bool operator==(const Index&) const = default;
  auto operator<=>(const Index&) const = default;
  friend Index operator+(Index i, int64_t shift) {
    i.offset += shift;
    return i;
  }
  friend Index operator+(const Index& a, const Index& b);
  friend Index operator*(Index i, int64_t factor);
};
/// One Index per dim of a tensor.
using Indices = std::vector<Index>;

/// Builds the scalar expression of one element of a value.
class ElementBuilder {
 public:
  virtual ~ElementBuilder() = default;
  virtual NodeId element(Value v, const Indices& at) = 0;
  /// element of a tensor in a buffer: row given by an i32 node, the other dims by indices.
  virtual NodeId row_element(Value table, NodeId row, const Indices& rest) = 0;
  /// Accumulates term(r) over the extents; r has one Index per extent.
  virtual NodeId reduce(AccKind, DType, const Shape& extents, SumOrder,
                        const std::function<NodeId(const Indices&)>& term) = 0;
  virtual NodeId apply(ScalarOp, DType, std::vector<NodeId> args) = 0;
  virtual NodeId constant(DType, double) = 0;
  virtual NodeId index(DType, const Index&) = 0;
  virtual NodeId size(DType, const Dim&) = 0;
};
using LowerRule = NodeId (*)(ElementBuilder&, const Func&, const Op&, const Indices& at);

/// Writes the parts of a value that lives in a buffer by itself (concat, pad, what scatters).
class Placer {
 public:
  virtual ~Placer() = default;
  virtual void fill(double number) = 0;
  /// The elements of v go to the result's, shifted by `offset` along `axis`.
  virtual void copy(Value v, int64_t axis, int64_t offset) = 0;
  /// result[ids[i...], ...] += updates[i..., ...], in row-major order of i.
  virtual void scatter_add(Value ids, Value updates) = 0;
  /// The whole of v, which has the result's type.
  virtual void start(Value v) = 0;
  /// result[ids[i...], ...] = rows[i..., ...], in row-major order of i.
  virtual void scatter(Value ids, Value rows) = 0;
  /// result[last[i]..., ...] += updates[i..., ...], where last[i] is the last position with the id of i.
  virtual void sum_repeated(Value ids, Value updates, const Dim& dim) = 0;
};
using PlaceRule = void (*)(Placer&, const Func&, const Op&);

}  // namespace rondo::ir
