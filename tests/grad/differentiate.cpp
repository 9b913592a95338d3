#include "tests/grad/differentiate.h"

#include <algorithm>
#include <cmath>

#include "ir/verifier.h"
#include "passes/passes.h"
#include "tests/support/arrays.h"

namespace rondo::test {

std::vector<ir::Array> gradients(const ir::Func& func, const ir::DimValues& dims, uint64_t seed) {
  const ir::Func derivative = passes::grad(func);
  ir::check(derivative, "after grad");
  return ir::evaluate(derivative, random_inputs(func, dims, seed), dims);
}

double gradient_error(const ir::Func& func, const ir::DimValues& dims, uint64_t seed) {
  std::vector<ir::Array> inputs = random_inputs(func, dims, seed);
  const std::vector<ir::Array> results = gradients(func, dims, seed);
  double error = 0;
  size_t next = func.results.size();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!is_float(inputs[i].dtype)) continue;
    const ir::Array& gradient = results.at(next++);
    for (size_t k = 0; k < inputs[i].data.size(); ++k) {
      const double x = inputs[i].data[k], h = 1e-4;
      auto at = [&](double shift) {
        inputs[i].data[k] = x + shift;
        return ir::evaluate(func, inputs, dims)[0].data[0];
      };
      // Fourth-order central difference: its error is about h^4 f^(5) / 30.
      const double difference = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
      inputs[i].data[k] = x;
      const double e = std::abs(gradient.data.at(k) - difference) / std::max(1.0, std::abs(difference));
      if (!(e <= error)) error = e;
    }
  }
  return error;
}

}  // namespace rondo::test
