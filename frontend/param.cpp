#include "frontend/param.h"

#include <fmt/format.h>

#include "frontend/region.h"

namespace rondo {
namespace {

/// FNV-1a: a seed of its own for each name, so that a new parameter leaves the others' values alone.
uint64_t hash(const std::string& text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
  return h;
}

int64_t element_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (int64_t n : shape) count *= n;
  return count;
}

}  // namespace

Param::Param(std::string name, std::vector<int64_t> shape, Init init, size_t order)
    : info_(std::make_shared<Info>(Info{std::move(name), std::move(shape), std::move(init), order})) {}

Tensor Param::tensor(Where where) const {
  if (!is_set()) fail("a parameter that no model has declared is used", where);
  return Region::current(where).outermost().param(*this, where);
}

Param Model::param(std::string name, std::vector<int64_t> shape, Init init, Where where) {
  for (const Param& p : params_)
    if (p.name() == name) fail(fmt::format("the model has a parameter `{}` already", name), where);
  for (int64_t n : shape)
    if (n <= 0) fail(fmt::format("parameter `{}`: {} is no size", name, n), where);
  return params_.emplace_back(std::move(name), std::move(shape), std::move(init), params_.size());
}

int64_t Model::count() const {
  int64_t count = 0;
  for (const Param& p : params_) count += element_count(p.shape());
  return count;
}

Weights Model::init(uint64_t seed) const {
  Weights weights;
  for (const Param& p : params_) {
    Random random(seed ^ hash(p.name()));
    std::vector<double> values(element_count(p.shape()));
    p.init()(random, p.shape(), values);
    Buffer& buffer = weights.get(p.name(), dtype_, p.shape());
    if (dtype_ == DType::f64) {
      std::copy(values.begin(), values.end(), buffer.as<double>().begin());
    } else {
      std::copy(values.begin(), values.end(), buffer.as<float>().begin());
    }
  }
  return weights;
}

}  // namespace rondo
