// Elementary functions as LLVM instructions, on scalars and vectors of f32 and f64: no call, no branch.
#pragma once

#include <functional>

#include "codegen/llvm/values.h"

namespace rondo::codegen {

/// At most 2 ULP over all f32 (cos: for |x| up to 1e5) and about 2 ULP for f64; infinities and NaN as libm
/// has them, and denormals where the target keeps them.
class VectorMath {
 public:
  explicit VectorMath(FunctionBuilder& f) : f_(f), b_(f.b) {}

  llvm::Value* exp(llvm::Value* x);
  llvm::Value* log(llvm::Value* x);
  llvm::Value* tanh(llvm::Value* x);
  llvm::Value* sigmoid(llvm::Value* x);
  llvm::Value* cos(llvm::Value* x);
  llvm::Value* floor(llvm::Value* x);
  /// Threefry of i32 values: a number in [0, 1) of the given scalar type.
  llvm::Value* uniform(llvm::Value* key, llvm::Value* counter, llvm::Value* index, llvm::Type* type);

 private:
  struct Nearest {
    llvm::Value* n;     // round(x * factor)
    llvm::Value* bits;  // n + bias in the low bits, of an integer
  };
  Nearest nearest(llvm::Value* x, double factor, int64_t bias);
  struct Reduced {
    llvm::Value* quotient;   // round(x / period), as an integer
    llvm::Value* remainder;  // x - quotient * period
  };
  /// period = the sum of parts, of which all but the last have few enough bits for exact products.
  Reduced reduce(llvm::Value* x, double inverse_period, std::initializer_list<double> parts);
  struct Scaled {
    llvm::Value* n;      // round(x * factor)
    llvm::Value* power;  // 2^(n + shift), where that is normal; 0 for the exponent below
  };
  Scaled nearest_power(llvm::Value* x, double factor, int shift);
  struct Parts {
    double high, low;
  };
  /// ln 2 = high + low: products of high with any exponent are exact, with FMA before they are rounded.
  Parts ln2(bool wide) const;
  /// e^r - 1 for |r| <= ln 2 / 2.
  llvm::Value* expm1_core(llvm::Value* r);
  /// f of a register after the other: all that a row of a table holds for one fits where there are few.
  llvm::Value* by_registers(llvm::Value* x, const std::function<llvm::Value*(llvm::Value*)>& f);
  llvm::Value* sigmoid_of(llvm::Value* x);
  struct Quotient {
    llvm::Value *numerator, *rest;  // U 2^shift and w of e^x = U / (1 + w)
  };
  /// Where U 2^shift is normal; it is 0 for the exponent below.
  Quotient exp_quotient32(llvm::Value* x, int shift);
  Quotient exp_quotient64(llvm::Value* x, int shift);
  llvm::Value* tanh32(llvm::Value* x);
  llvm::Value* tanh64(llvm::Value* x);
  /// For f64 x from 0.7 to where it rounds to 1.
  llvm::Value* tanh_of_large(llvm::Value* x);
  /// 2^n of integers n in the range of normal exponents.
  llvm::Value* power_of_two(llvm::Value* n);
  /// Sum of c[i] * x^i, in Estrin's scheme: the depth is the logarithm of the degree.
  llvm::Value* polynomial(llvm::Value* x, std::initializer_list<double> c);
  llvm::Value* cos64(llvm::Value* x);
  struct Split {
    llvm::Value* exponent;  // an integer e
    llvm::Value* fraction;  // f, with 1 + f in [sqrt(1/2), sqrt(2))
  };
  /// x = 2^e (1 + f), of a positive number, which may be denormal.
  Split split(llvm::Value* x);
  llvm::Value* log32(llvm::Value* x);
  llvm::Value* log64(llvm::Value* x);

  double magic_number(llvm::Value* x) const { return is_double(x) ? 6755399441055744.0 : 12582912.0; }
  bool is_double(llvm::Value* x) const { return x->getType()->getScalarType()->isDoubleTy(); }
  llvm::Value* number(llvm::Value* like, double v) const { return llvm::ConstantFP::get(like->getType(), v); }
  llvm::Value* integer(llvm::Value* like, int64_t v) const {
    return llvm::ConstantInt::getSigned(integer_type(like), v);
  }
  llvm::Type* integer_type(llvm::Value* x) const;
  llvm::Value* clamp(llvm::Value* x, double lo, double hi);
  llvm::Value* fma(llvm::Value* x, llvm::Value* y, llvm::Value* z) { return f_.fma(x, y, z); }

  FunctionBuilder& f_;
  llvm::IRBuilder<>& b_;
};

}  // namespace rondo::codegen
