#include "tests/frontend/reference.h"

#include <algorithm>

#include "frontend/init.h"

namespace rondo::test {

std::vector<double> numbers(size_t n, uint64_t seed) {
  Random random(seed);
  std::vector<double> values(n);
  for (double& v : values) v = 2 * random.uniform() - 1;
  return values;
}

Reference::Reference(Function function, const Weights& weights) : function_(std::move(function)) {
  for (const Param& p : function_.params) values_[p.name()] = array_of(weights.at(p.name()));
  for (const auto& [name, value] : function_.defaults) set(name, {}, {value});
}

void Reference::set(const std::string& name, std::vector<int64_t> shape, std::vector<double> values) {
  values_[name] = {DType::f32, std::move(shape), std::move(values)};
}

void Reference::run(ir::DimValues dims) {
  const ir::Func& func = function_.func;
  for (ir::Value p : func.params) {
    const auto known = values_.find(func.value_name(p));
    if (known == values_.end()) continue;
    const Shape& shape = func.type(p).shape;
    for (size_t d = 0; d < shape.size(); ++d)
      if (shape[d].is_named()) dims[shape[d].name()] = known->second.shape[d];
  }
  std::vector<ir::Array> inputs;
  for (ir::Value p : func.params) {
    const std::string& name = func.value_name(p);
    if (!values_.contains(name)) {
      ir::Array zeros{func.type(p).dtype, ir::bind(func.type(p).shape, dims), {}};
      int64_t count = 1;
      for (int64_t n : zeros.shape) count *= n;
      zeros.data.assign(count, 0);
      values_[name] = zeros;
    }
    values_[name].dtype = func.type(p).dtype;
    inputs.push_back(values_[name]);
  }
  const std::vector<ir::Array> outputs = ir::evaluate(func, inputs, dims);
  for (size_t i = 0; i < outputs.size(); ++i) values_[function_.outputs[i]] = outputs[i];
  for (const Function::Update& u : function_.updates) values_[u.input] = values_.at(u.output);
}

const ir::Array& Reference::at(const std::string& name) const { return values_.at(name); }

}  // namespace rondo::test
