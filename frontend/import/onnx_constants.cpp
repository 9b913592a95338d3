#include "frontend/import/onnx_constants.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "frontend/import/onnx_file.h"
#include "frontend/ops.h"
#include "frontend/region.h"

namespace rondo::onnx {
namespace {

// Names are the numbers kFirstName, kFirstName - 1, ...
constexpr double kFirstName = -0x1p52;
constexpr double kMaxNames = 1 << 20;
constexpr double kExactInF32 = 1 << 24;

ir::Shape dims_of(const ir::Array& array) { return {array.shape.begin(), array.shape.end()}; }

/// first, first + step, first + 2 step ...
bool is_progression(const std::vector<double>& data) {
  for (size_t i = 2; i < data.size(); ++i)
    if (data[i] - data[i - 1] != data[1] - data[0]) return false;
  return true;
}

}  // namespace

Constant make_constant(DType dtype, std::vector<int64_t> shape, std::vector<double> data) {
  return std::make_shared<const ir::Array>(ir::Array{dtype, std::move(shape), std::move(data)});
}

bool has_names(const ir::Array& array) {
  return array.dtype == DType::i32 && std::any_of(array.data.begin(), array.data.end(), [](double v) {
           return v <= kFirstName && v > kFirstName - kMaxNames;
         });
}

bool is_uniform(const ir::Array& array) {
  return !has_names(array) &&
         std::all_of(array.data.begin(), array.data.end(), [&](double v) { return v == array.data[0]; });
}

std::string Constants::unique(const std::string& name) {
  std::string result = name;
  while (!taken_.insert(result).second) result += '_';
  return result;
}

double Constants::number_of(const ir::Dim& dim) {
  if (!dim.is_named()) return static_cast<double>(dim.size());
  const auto known = std::find(dims_.begin(), dims_.end(), dim.name());
  const auto index = known - dims_.begin();
  if (known == dims_.end()) dims_.push_back(dim.name());
  return kFirstName - static_cast<double>(index);
}

ir::Dim Constants::dim_of(double number) const {
  const double index = kFirstName - number;
  if (index >= 0 && index < static_cast<double>(dims_.size())) return dims_[static_cast<size_t>(index)];
  return static_cast<int64_t>(std::clamp(number, -0x1p62, 0x1p62));
}

Constant Constants::shape(const ir::Shape& shape) {
  std::vector<double> numbers;
  for (const ir::Dim& dim : shape) numbers.push_back(number_of(dim));
  return make_constant(DType::i32, {static_cast<int64_t>(shape.size())}, std::move(numbers));
}

Tensor Constants::tensor(const Constant& constant, Where where) {
  const ir::Array& array = *constant;
  if (is_uniform(array)) {
    double number = array.data.empty() ? 0 : array.data[0];
    if (array.dtype == DType::i32) number = std::clamp(number, -0x1p31, 0x1p31 - 1);
    return rondo::constant(number, Type{array.dtype, dims_of(array)}, where);
  }
  if (has_names(array)) return with_names(array, where);
  if (is_float(array.dtype)) return cast(weight(constant, where), array.dtype);
  return array.dtype == DType::i32 ? integers(constant, where) : cast(weight(constant, where), DType::pred);
}

Constant Constants::transposed(const Constant& constant, int64_t rows, int64_t cols, int64_t i) {
  Constant& known = transposed_[{constant, rows, cols, i}];
  if (known) return known;
  const auto from = constant->data.begin() + i * rows * cols;
  std::vector<double> data(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) data[c * rows + r] = from[r * cols + c];
  known = make_constant(constant->dtype, {cols, rows}, std::move(data));
  const auto named = names_.find(constant);
  if (named != names_.end())
    set_name(known, constant->count() == rows * cols ? named->second + "_T"
                                                     : fmt::format("{}_T{}", named->second, i));
  return known;
}

Tensor Constants::weight(const Constant& constant, Where where) {
  const auto known = params_.find(constant);
  if (known != params_.end()) return known->second.tensor(where);
  const auto named = names_.find(constant);
  const std::string name = unique(clean_name(named == names_.end() ? "constant" : named->second, true));
  const ir::Array& array = *constant;
  Buffer& buffer = weights_.get(name, dtype_, array.shape);
  if (dtype_ == DType::f64) {
    std::copy(array.data.begin(), array.data.end(), buffer.as<double>().begin());
  } else {
    std::transform(array.data.begin(), array.data.end(), buffer.as<float>().begin(),
                   [](double v) { return static_cast<float>(v); });
  }
  const Param param(name, array.shape, init::zeros(), params_.size());
  params_.emplace(constant, param);
  return param.tensor(where);
}

/// The IR has no lists of integers but those that iota gives; others are weights.
Tensor Constants::integers(const Constant& constant, Where where) {
  const ir::Array& array = *constant;
  if (array.shape.size() == 1 && is_progression(array.data)) {
    const Tensor index = iota(dims_of(array), 0, where);
    return index * (array.data[1] - array.data[0]) + array.data[0];
  }
  for (double v : array.data)
    if (std::abs(v) > kExactInF32) fail(fmt::format("the integer {} of a list exceeds 2^24", v), where);
  return cast(weight(constant, where), DType::i32);
}

Tensor Constants::with_names(const ir::Array& array, Where where) const {
  if (array.shape.size() > 1) fail("sizes in a tensor of more than one dim are not supported", where);
  std::vector<Tensor> sizes;
  for (double v : array.data) {
    const ir::Dim dim = dim_of(v);
    sizes.push_back(emit(where, {}, [&](ir::Builder& b, const auto&) { return b.size(dim, DType::i32); }));
  }
  return array.shape.empty() ? sizes[0] : stack(sizes, 0, where);
}

}  // namespace rondo::onnx
