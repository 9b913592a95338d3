#include "codegen/llvm/math.h"

#include <llvm/IR/Intrinsics.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "support/threefry.h"

// Polynomials are minimax fits of relative error (Remez); the range reductions are those of W. J. Cody and W.
// Waite, Software Manual for the Elementary Functions, 1980. Where FMA exists it is used throughout.
namespace rondo::codegen {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

llvm::Type* VectorMath::integer_type(llvm::Value* x) const {
  llvm::Type* scalar = is_double(x) ? b_.getInt64Ty() : b_.getInt32Ty();
  auto* v = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
  return v ? llvm::FixedVectorType::get(scalar, v->getNumElements()) : scalar;
}

llvm::Value* VectorMath::clamp(llvm::Value* x, double lo, double hi) {
  // A NaN fails both comparisons and passes.
  x = b_.CreateSelect(b_.CreateFCmpOLT(x, number(x, lo)), number(x, lo), x);
  return b_.CreateSelect(b_.CreateFCmpOGT(x, number(x, hi)), number(x, hi), x);
}

llvm::Value* VectorMath::polynomial(llvm::Value* x, std::initializer_list<double> c) {
  Values terms;
  for (double v : c) terms.push_back(number(x, v));
  for (llvm::Value* power = x; terms.size() > 1; power = b_.CreateFMul(power, power)) {
    Values pairs;
    for (size_t i = 0; i + 1 < terms.size(); i += 2) pairs.push_back(fma(terms[i + 1], power, terms[i]));
    if (terms.size() % 2) pairs.push_back(terms.back());
    terms = std::move(pairs);
  }
  return terms.front();
}

VectorMath::Nearest VectorMath::nearest(llvm::Value* x, double factor, int64_t bias) {
  // Adding 1.5 * 2^(mantissa bits) rounds to an integer, which then stands in the low bits of the sum.
  llvm::Value* magic = number(x, magic_number(x) + static_cast<double>(bias));
  llvm::Value* shifted = fma(x, number(x, factor), magic);
  return {b_.CreateFSub(shifted, magic), b_.CreateBitCast(shifted, integer_type(x))};
}

VectorMath::Reduced VectorMath::reduce(llvm::Value* x, double inverse_period,
                                       std::initializer_list<double> parts) {
  auto [n, bits] = nearest(x, inverse_period, 0);
  llvm::Value* zero = b_.CreateBitCast(number(x, magic_number(x)), integer_type(x));
  llvm::Value* quotient = b_.CreateSub(bits, zero);
  for (double part : parts) x = fma(n, number(x, -part), x);
  return {quotient, x};
}

VectorMath::Scaled VectorMath::nearest_power(llvm::Value* x, double factor, int shift) {
  const bool wide = is_double(x);
  auto [n, bits] = nearest(x, factor, (wide ? 1023 : 127) + shift);
  return {n, b_.CreateBitCast(b_.CreateShl(bits, integer(x, wide ? 52 : 23)), x->getType())};
}

llvm::Value* VectorMath::power_of_two(llvm::Value* n) {
  bool wide = n->getType()->getScalarSizeInBits() == 64;
  auto constant = [&](int64_t v) { return llvm::ConstantInt::getSigned(n->getType(), v); };
  llvm::Value* bits = b_.CreateShl(b_.CreateAdd(n, constant(wide ? 1023 : 127)), constant(wide ? 52 : 23));
  llvm::Type* scalar = wide ? b_.getDoubleTy() : b_.getFloatTy();
  auto* v = llvm::dyn_cast<llvm::FixedVectorType>(n->getType());
  return b_.CreateBitCast(bits, v ? llvm::FixedVectorType::get(scalar, v->getNumElements()) : scalar);
}

llvm::Value* VectorMath::expm1_core(llvm::Value* r) {
  llvm::Value* square = b_.CreateFMul(r, r);
  if (is_double(r))
    return fma(
        square,
        polynomial(r, {0.5000000000000012, 0.16666666666666385, 0.04166666666651916, 0.00833333333350766,
                       0.0013888888946919833, 0.0001984126948616445, 2.4801489352359715e-05,
                       2.755759718259311e-06, 2.7631687323769324e-07, 2.499899431907327e-08}),
        r);
  // (r + c0 r^2 + c1 r^3) + r^4 (c2 + c3 r + c4 r^2): three steps deep.
  llvm::Value* low = fma(r, number(r, 0.16666515171527863), number(r, 0.4999999403953552));
  llvm::Value* high = fma(r, number(r, 0.008369418792426586), number(r, 0.04166845604777336));
  high = fma(square, number(r, 0.0013813143596053123), high);
  return fma(b_.CreateFMul(square, square), high, fma(square, low, r));
}

VectorMath::Parts VectorMath::ln2(bool wide) const {
  if (wide) return {6.93147180369123816490e-01, 1.90821492927058770002e-10};
  if (f_.target.fma) return {0.693147182464599609375, -1.904654299957768e-9};
  return {0.693359375, -2.12194440054690583e-4};
}

llvm::Value* VectorMath::exp(llvm::Value* x) {
  const bool wide = is_double(x);
  // Past these bounds the result is infinity or rounds to 0.
  x = wide ? clamp(x, -746, 710) : clamp(x, -104, 89);
  const auto [high, low] = ln2(wide);
  auto [n, r] = reduce(x, std::numbers::log2e, {high, low});
  llvm::Value* p = b_.CreateFAdd(expm1_core(r), number(x, 1));
  // In two halves, as 2^n itself may be no normal number; only the last product rounds.
  llvm::Value* half = b_.CreateAShr(n, integer(x, 1));
  p = b_.CreateFMul(p, power_of_two(half));
  return b_.CreateFMul(p, power_of_two(b_.CreateSub(n, half)));
}

llvm::Value* VectorMath::log(llvm::Value* x) {
  llvm::Value* y = is_double(x) ? log64(x) : log32(x);
  y = b_.CreateSelect(b_.CreateFCmpOEQ(x, number(x, 0)), number(x, -kInfinity), y);
  // Infinity and NaN are themselves; below 0 there is none.
  y = b_.CreateSelect(b_.CreateFCmpOLT(x, number(x, kInfinity)), y, x);
  llvm::Value* nan = number(x, std::numeric_limits<double>::quiet_NaN());
  return b_.CreateSelect(b_.CreateFCmpOLT(x, number(x, 0)), nan, y);
}

VectorMath::Split VectorMath::split(llvm::Value* x) {
  const bool wide = is_double(x);
  const int64_t digits = wide ? 52 : 23, sqrt_half = wide ? 0x3fe6a09e667f3bcd : 0x3f3504f3;
  llvm::Value* denormal = b_.CreateFCmpOLT(x, number(x, wide ? 0x1p-1022 : 0x1p-126));
  llvm::Value* scaled = b_.CreateSelect(denormal, b_.CreateFMul(x, number(x, wide ? 0x1p54 : 0x1p25)), x);
  llvm::Value* bits = b_.CreateBitCast(scaled, integer_type(x));
  llvm::Value* e = b_.CreateAShr(b_.CreateSub(bits, integer(x, sqrt_half)), integer(x, digits));
  llvm::Value* mantissa =
      b_.CreateBitCast(b_.CreateSub(bits, b_.CreateShl(e, integer(x, digits))), x->getType());
  llvm::Value* f = b_.CreateFSub(mantissa, number(x, 1));
  return {b_.CreateSelect(denormal, b_.CreateSub(e, integer(x, digits + 2)), e), f};
}

llvm::Value* VectorMath::log32(llvm::Value* x) {
  // log x = e ln 2 + f - f^2/2 + f^3 p(f).
  const auto [e, f] = split(x);
  llvm::Value* exponent = b_.CreateSIToFP(e, x->getType());
  llvm::Value* p =
      polynomial(f, {0.33333316445350647, -0.25000810623168945, 0.2000228613615036, -0.16624553501605988,
                     0.14181192219257355, -0.13128753006458282, 0.12881650030612946, -0.07859618216753006});
  llvm::Value* square = b_.CreateFMul(f, f);
  const auto [high, low] = ln2(false);
  llvm::Value* small = fma(exponent, number(x, low), b_.CreateFMul(b_.CreateFMul(square, f), p));
  small = fma(square, number(x, -0.5), small);
  return fma(exponent, number(x, high), b_.CreateFAdd(f, small));
}

llvm::Value* VectorMath::log64(llvm::Value* x) {
  // With s = f / (2 + f), log(1 + f) = 2 atanh s = f - f^2/2 + s (f^2/2 + s^2 p(s^2)).
  const auto [e, f] = split(x);
  // From 32 bits, which every machine can; from 64, some need a library.
  llvm::Type* narrow = e->getType()->getWithNewBitWidth(32);
  llvm::Value* exponent = b_.CreateSIToFP(b_.CreateTrunc(e, narrow), x->getType());
  llvm::Value* s = b_.CreateFDiv(f, b_.CreateFAdd(f, number(x, 2)));
  llvm::Value* z = b_.CreateFMul(s, s);
  llvm::Value* p =
      polynomial(z, {0.6666666666666734, 0.3999999999941355, 0.2857142874266374, 0.22222198542496902,
                     0.18183566036185475, 0.15314004000663087, 0.1479644226800755});
  llvm::Value* half_square = b_.CreateFMul(b_.CreateFMul(f, f), number(x, 0.5));
  const auto [high, low] = ln2(true);
  llvm::Value* tail = fma(s, fma(z, p, half_square), b_.CreateFMul(exponent, number(x, low)));
  llvm::Value* rest = b_.CreateFSub(b_.CreateFSub(half_square, tail), f);
  return b_.CreateFSub(b_.CreateFMul(exponent, number(x, high)), rest);
}

llvm::Value* VectorMath::cos(llvm::Value* x) {
  if (is_double(x)) return cos64(x);
  auto* v = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
  llvm::Type* wide = v ? llvm::FixedVectorType::get(b_.getDoubleTy(), v->getNumElements()) : b_.getDoubleTy();
  return b_.CreateFPTrunc(cos64(b_.CreateFPExt(x, wide)), x->getType());
}

llvm::Value* VectorMath::cos64(llvm::Value* x) {
  // x = q pi/2 + r: cos x is cos r, -sin r, -cos r, sin r for q = 0, 1, 2, 3 modulo 4.
  auto [q, r] = reduce(x, 2 / std::numbers::pi,
                       {1.57079632673412561417e+00, 6.07710050630396597660e-11, 2.02226624879595063154e-21});
  llvm::Value* z = b_.CreateFMul(r, r);
  llvm::Value* sine = polynomial(z, {-0.1666666666666663, 0.008333333333321868, -0.0001984126982935169,
                                     2.755731352769802e-06, -2.5050731545315087e-08, 1.589520967648664e-10});
  sine = fma(b_.CreateFMul(r, z), sine, r);
  llvm::Value* cosine =
      polynomial(z, {0.041666666666666595, -0.0013888888888873385, 2.4801587289000416e-05,
                     -2.755731420769723e-07, 2.087570292884579e-09, -1.1358561567512944e-11});
  cosine = fma(b_.CreateFMul(z, z), cosine, fma(z, number(x, -0.5), number(x, 1)));
  llvm::Value* zero = integer(x, 0);
  llvm::Value* odd = b_.CreateICmpNE(b_.CreateAnd(q, integer(x, 1)), zero);
  llvm::Value* negative = b_.CreateICmpNE(b_.CreateAnd(b_.CreateAdd(q, integer(x, 1)), integer(x, 2)), zero);
  llvm::Value* y = b_.CreateSelect(odd, sine, cosine);
  return b_.CreateSelect(negative, b_.CreateFNeg(y), y);
}

llvm::Value* VectorMath::floor(llvm::Value* x) {
  // Not the instruction, which SSE2 lacks: adding 2^(mantissa bits) rounds to an integer, which may be one
  // too many.
  llvm::Value* large = number(x, is_double(x) ? 0x1p52 : 0x1p23);
  llvm::Value* size = b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x);
  llvm::Value* rounded = b_.CreateFSub(b_.CreateFAdd(size, large), large);
  rounded = b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, rounded, x);
  rounded = b_.CreateSelect(b_.CreateFCmpOGT(rounded, x), b_.CreateFSub(rounded, number(x, 1)), rounded);
  return b_.CreateSelect(b_.CreateFCmpOLT(size, large), rounded, x);
}

llvm::Value* VectorMath::uniform(llvm::Value* key, llvm::Value* counter, llvm::Value* index,
                                 llvm::Type* type) {
  auto constant = [&](uint32_t v) { return llvm::ConstantInt::get(key->getType(), v); };
  llvm::Value* keys[3] = {key, counter, b_.CreateXor(b_.CreateXor(key, counter), constant(kThreefryParity))};
  llvm::Value* x0 = b_.CreateAdd(index, key);
  llvm::Value* x1 = counter;
  for (uint32_t round = 0; round < 20; ++round) {
    x0 = b_.CreateAdd(x0, x1);
    llvm::Value* turned =
        b_.CreateIntrinsic(llvm::Intrinsic::fshl, {key->getType()},
                           {x1, x1, constant(static_cast<uint32_t>(kThreefryRotations[round % 8]))});
    x1 = b_.CreateXor(turned, x0);
    if (round % 4 == 3) {
      uint32_t s = round / 4 + 1;
      x0 = b_.CreateAdd(x0, keys[s % 3]);
      x1 = b_.CreateAdd(x1, b_.CreateAdd(keys[(s + 1) % 3], constant(s)));
    }
  }
  if (auto* v = llvm::dyn_cast<llvm::FixedVectorType>(key->getType()))
    type = llvm::FixedVectorType::get(type, v->getNumElements());
  llvm::Value* top = b_.CreateSIToFP(b_.CreateLShr(x0, constant(8)), type);
  return b_.CreateFMul(top, llvm::ConstantFP::get(type, 0x1p-24));
}

}  // namespace rondo::codegen
