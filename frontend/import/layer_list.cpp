#include "frontend/import/layer_list.h"

#include <algorithm>

#include "frontend/programs.h"
#include "support/error.h"

namespace rondo {

void LayerList::set(const Param& param, std::span<const double> numbers) {
  const std::span<float> buffer = values.get(param.name(), f32, param.shape()).as<float>();
  RONDO_CHECK(numbers.size() == buffer.size(), "as many numbers as elements: " + param.name());
  std::transform(numbers.begin(), numbers.end(), buffer.begin(),
                 [](double v) { return static_cast<float>(v); });
}

ImportedModel LayerList::finish() const {
  const StepInput x{f32, {in}};
  return {{step_function(*this, x), run_function(*this, x)}, values, {}};
}

std::vector<double> transposed(std::span<const double> matrix, int64_t rows, int64_t cols) {
  std::vector<double> result(matrix.size());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) result[j * rows + i] = matrix[i * cols + j];
  return result;
}

}  // namespace rondo
