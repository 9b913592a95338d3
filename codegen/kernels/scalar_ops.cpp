#include "codegen/kernels/scalar_ops.h"

#include <algorithm>
#include <cmath>

#include "support/error.h"
#include "support/threefry.h"

namespace rondo::codegen {

using namespace ir;

namespace {

double to_i32(double x) {
  if (std::isnan(x)) return 0;
  return std::clamp(std::trunc(x), -2147483648.0, 2147483647.0);
}

}  // namespace

double evaluate_scalar(const Node& n, const double* x) {
  switch (n.op) {
    case ScalarOp::constant: return n.number;
    case ScalarOp::cast:
      return n.dtype == DType::i32    ? to_i32(x[0])
             : n.dtype == DType::pred ? static_cast<double>(x[0] != 0)
                                      : x[0];
    case ScalarOp::neg: return -x[0];
    case ScalarOp::exp: return std::exp(x[0]);
    case ScalarOp::log: return std::log(x[0]);
    case ScalarOp::tanh: return std::tanh(x[0]);
    case ScalarOp::sigmoid: return 1 / (1 + std::exp(-x[0]));
    case ScalarOp::sqrt: return std::sqrt(x[0]);
    case ScalarOp::rsqrt: return 1 / std::sqrt(x[0]);
    case ScalarOp::abs: return std::abs(x[0]);
    case ScalarOp::cos: return std::cos(x[0]);
    case ScalarOp::floor: return std::floor(x[0]);
    case ScalarOp::add: return x[0] + x[1];
    case ScalarOp::sub: return x[0] - x[1];
    case ScalarOp::mul: return x[0] * x[1];
    case ScalarOp::div: return n.dtype == DType::i32 ? to_i32(x[0] / x[1]) : x[0] / x[1];
    case ScalarOp::max: return x[0] < x[1] ? x[1] : x[0];
    case ScalarOp::min: return x[1] < x[0] ? x[1] : x[0];
    case ScalarOp::less: return x[0] < x[1];
    case ScalarOp::equal: return x[0] == x[1];
    case ScalarOp::fma: return x[0] * x[1] + x[2];
    case ScalarOp::select: return x[0] != 0 ? x[1] : x[2];
    case ScalarOp::random: return threefry_uniform(x[0], x[1], x[2]);
    case ScalarOp::load:
    case ScalarOp::index:
    case ScalarOp::size:
    case ScalarOp::acc: break;
  }
  RONDO_CHECK(false, "not a function of its arguments");
}

}  // namespace rondo::codegen
