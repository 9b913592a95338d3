// A model of layers that a file lists one after another, and their values.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "frontend/import/imported.h"
#include "frontend/layers/stack.h"
#include "frontend/param.h"

namespace rondo {

struct LayerList : Model {
  Stack layers;
  Weights values;
  int64_t in = 1;     // of the model
  int64_t width = 1;  // of the output of the layers so far

  Stack::State initial(const Dim& batch) const { return layers.initial(batch); }
  std::pair<Stack::State, Tensor> step(const Stack::State& s, Tensor x) const { return layers(s, x); }

  /// Gives the parameter its values, row-major.
  void set(const Param& param, std::span<const double> numbers);

  /// The functions step and run of the model over x [B,in] and [T,B,in].
  ImportedModel finish() const;
};

/// A row-major [rows,cols], transposed.
std::vector<double> transposed(std::span<const double> matrix, int64_t rows, int64_t cols);

}  // namespace rondo
