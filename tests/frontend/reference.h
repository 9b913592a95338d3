// Runs functions of the DSL on the reference evaluator.
#pragma once

#include <map>
#include <string>

#include "frontend/arrays.h"
#include "frontend/function.h"
#include "ir/evaluator.h"
#include "runtime/weights.h"

namespace rondo::test {

using rondo::array_of;

/// A function with its weights, slots and state, run by ir::evaluate: what Program is, slowly.
class Reference {
 public:
  Reference(Function function, const Weights& weights);

  /// An input of any dtype; scalars have the shape {}.
  void set(const std::string& name, std::vector<int64_t> shape, std::vector<double> values);
  /// Runs once; updates its own weights, slots and state. dims binds what the inputs that are set leave open.
  void run(ir::DimValues dims = {});
  /// An input, a weight, or an output of the last run.
  const ir::Array& at(const std::string& name) const;
  double scalar(const std::string& name) const { return at(name).data.at(0); }

 private:
  Function function_;
  std::map<std::string, ir::Array> values_;
};

/// n numbers in (-1, 1), all different, the same on each run.
std::vector<double> numbers(size_t n, uint64_t seed);

}  // namespace rondo::test
