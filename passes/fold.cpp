#include "passes/fold.h"

#include <cmath>

#include "ir/op_def.h"

namespace rondo::passes {

using namespace ir;

std::optional<double> fold(const Func& func, const Op& op, DType result, std::span<const double> numbers) {
  auto rounded = [](DType t, double x) {
    return t == DType::f32 ? static_cast<double>(static_cast<float>(x)) : x;
  };
  std::vector<Array> in;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const DType dtype = func.type(op.operands[i]).dtype;
    in.push_back({dtype, {}, {rounded(dtype, numbers[i])}});
  }
  std::vector<const Array*> pointers;
  for (const Array& x : in) pointers.push_back(&x);
  std::vector<Array> out{{result, {}, {0}}};
  def_of(op.kind).eval({func, op, {}, pointers, out});
  const double x = rounded(result, out[0].data[0]);
  return std::isfinite(x) ? std::optional(x) : std::nullopt;
}

}  // namespace rondo::passes
