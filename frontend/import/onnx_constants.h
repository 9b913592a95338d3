// Constants of an ONNX model: as tensors of the function in the making, and as shapes.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "frontend/import/onnx_graph.h"
#include "frontend/param.h"
#include "frontend/tensor.h"

namespace rondo::onnx {

Constant make_constant(DType dtype, std::vector<int64_t> shape, std::vector<double> data);
/// Whether an element stands for a named dim: see Constants::number_of.
bool has_names(const ir::Array& array);
/// Whether all elements are the same number.
bool is_uniform(const ir::Array& array);

class Constants {
 public:
  /// Weights and numbers of the function are of this dtype.
  explicit Constants(DType dtype) : dtype_(dtype) {}
  DType dtype() const { return dtype_; }

  /// A name like this one that nothing else of the function has.
  std::string unique(const std::string& name);
  /// The name that the constant will have if it becomes a weight; the first one counts.
  void set_name(const Constant& constant, const std::string& name) { names_.emplace(constant, name); }
  /// The constant in the function in the making: without memory where it is simple, else a weight.
  Tensor tensor(const Constant& constant, Where where);
  const Weights& weights() const { return weights_; }
  /// Matrix number i, [rows,cols], of the constant's elements, as [cols,rows]: a constant of its own, made
  /// once.
  Constant transposed(const Constant& constant, int64_t rows, int64_t cols, int64_t i);

  /// Models compute shapes by the ops that compute anything. So that shapes may have named dims, a number far
  /// outside the range of i32 stands for each name, where ops only move or compare elements.
  double number_of(const ir::Dim& dim);
  ir::Dim dim_of(double number) const;
  Constant shape(const ir::Shape& shape);

 private:
  Tensor weight(const Constant& constant, Where where);
  Tensor integers(const Constant& constant, Where where);
  Tensor with_names(const ir::Array& array, Where where) const;

  DType dtype_;
  std::map<Constant, std::string> names_;
  std::map<Constant, Param> params_;
  std::map<std::tuple<Constant, int64_t, int64_t, int64_t>, Constant> transposed_;
  std::set<std::string> taken_;
  std::vector<std::string> dims_;  // that numbers stand for
  Weights weights_;
};

}  // namespace rondo::onnx
