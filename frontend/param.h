// Parameters and models: what a user declares once and every program of the model reads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "frontend/init.h"
#include "frontend/tensor.h"
#include "runtime/weights.h"

namespace rondo {

/// A named weight. Used in a traced function, it becomes an input of that function.
class Param {
 public:
  Param() = default;
  /// `order`: its place among the parameters of its model.
  Param(std::string name, std::vector<int64_t> shape, Init init, size_t order = 0);

  bool is_set() const { return info_ != nullptr; }
  const std::string& name() const { return info_->name; }
  const std::vector<int64_t>& shape() const { return info_->shape; }
  const Init& init() const { return info_->init; }
  size_t order() const { return info_->order; }
  /// The same parameter, not one of the same name only.
  bool operator==(const Param& other) const { return info_ == other.info_; }

  Tensor tensor(Where where = Where::here()) const;
  operator Tensor() const { return tensor(); }  // NOLINT: a parameter is a tensor

 private:
  struct Info {
    std::string name;
    std::vector<int64_t> shape;
    Init init;
    size_t order;
  };
  std::shared_ptr<const Info> info_;
};

/// The parameters of a model. Derive from it, declare parameters and layers as members, and write `initial`
/// and `step`.
class Model {
 public:
  explicit Model(DType dtype = DType::f32) : dtype_(dtype) {}

  DType dtype() const { return dtype_; }
  /// A parameter of this model. Throws Error if the name is taken.
  Param param(std::string name, std::vector<int64_t> shape, Init init = init::glorot(),
              Where where = Where::here());
  const std::vector<Param>& params() const { return params_; }
  /// Number of elements of all parameters.
  int64_t count() const;

  /// All parameters, initialised. The values depend on the seed and each parameter's name, shape and
  /// initialiser alone.
  Weights init(uint64_t seed) const;

 private:
  DType dtype_;
  std::vector<Param> params_;
};

}  // namespace rondo
