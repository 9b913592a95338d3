// Is the gradient of a model right? Compares what the compiler derives with central differences of the loss.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "frontend/function.h"

namespace rondo {

struct GradientCheckOptions {
  std::string loss = "loss";
  std::vector<std::string> wrt = {};  // parameters and inputs; none: all parameters
  ir::DimValues dims = {};            // of named dims; small ones do, as each element costs two evaluations
  /// Values of inputs, row-major. The others are random: floats in [-1,1], i32 in [0,3), and in range
  /// of every table and of lengths.
  std::map<std::string, std::vector<double>> inputs = {};
  uint64_t seed = 1;     // of random inputs, of dropout, and of which elements are checked
  int64_t elements = 8;  // of each parameter; all, where there are no more
  double step = 1e-5;    // the loss is differenced from -step to +step
  double tolerance = 1e-6;
};

/// What a check found: for each parameter, where gradient and difference are furthest apart.
struct GradientCheck {
  struct Row {
    std::string name;
    std::vector<int64_t> at;  // of the worst element
    double gradient = 0, difference = 0;
    /// |gradient - difference| by the larger of the two, or by what differences of such a loss can tell.
    double error = 0;
    int64_t checked = 0;  // elements
  };
  std::vector<Row> rows;  // the worst first
  double loss = 0, tolerance = 0;

  const Row& worst() const { return rows.front(); }
  bool passed() const { return worst().error <= tolerance; }
};
/// A verdict that names the worst parameter and element, and a table with a line for each parameter.
std::string to_string(const GradientCheck& check);

/// Checks the gradients of a function in training: dropout draws the same masks each time. Everything is
/// computed in f64 by the reference evaluator, whatever the model's dtype; state inputs are random. Throws
/// Error for inputs that do not fit.
GradientCheck check_gradients(const Function& function, const Weights& weights,
                              const GradientCheckOptions& options = {});

}  // namespace rondo
