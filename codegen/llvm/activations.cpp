// Tanh and sigmoid, which the time of small cells goes to.
#include <llvm/Analysis/VectorUtils.h>
#include <llvm/TargetParser/Triple.h>

#include <bit>
#include <cmath>
#include <numbers>

#include "codegen/llvm/lookup.h"
#include "codegen/llvm/math.h"

namespace rondo::codegen {

namespace {

// tanh a for a from 0 to 9.02 in eight pieces, whose ends are where a^2 + 0.36 passes a power of two: rows in
// the order of the last three bits of its exponent. Columns: a point in a piece, at which tanh is next to an
// f32, and the coefficients of a polynomial of the distance from there. Made by scripts/fit_tanh.py.
constexpr TableColumn kTanh[] = {
    {{1.73170793f, 2.55956578f, 3.63642526f, 5.15601873f, 7.69134521f, 0.f, 0.552534938f, 0.896230698f}},
    {{0.939257443f, 0.988108695f, 0.998612702f, 0.999933541f, 0.999999583f, 0.f, 0.502417684f, 0.714457572f}},
    {{0.117795803f, 0.0236412026f, 0.0027724281f, 0.00013277297f, 8.14061195e-07f, 1.f, 0.747576654f,
      0.489550352f}},
    {{-0.110640503f, -0.0233603101f, -0.00276845577f, -0.000132835485f, -9.602619e-07f, -6.57598866e-06f,
      -0.375592828f, -0.349763244f}},
    {{0.0646184608f, 0.0152020045f, 0.00184852164f, 9.06652422e-05f, 6.1114082e-07f, -0.333074838f,
      -0.0605206825f, 0.0867159218f}},
    {{-0.0239094719f, -0.00722711207f, -0.000911764626f, -4.32335182e-05f, -7.34610452e-08f, -0.00332520972f,
      0.155309781f, 0.0546355955f}},
    {{0.0042190277f, 0.00261621526f, 0.000310411735f, 1.14275135e-05f, 1.02267407e-07f, 0.152292818f,
      -0.0395771451f, -0.0576634109f}},
    {{0.00497444067f, -0.000726008497f, -0.000205591685f, -1.35656428e-05f, -1.18273334e-07f, -0.0506212413f,
      -0.0334046669f, 0.0185655989f}},
};

}  // namespace

llvm::Value* VectorMath::by_registers(llvm::Value* x, const std::function<llvm::Value*(llvm::Value*)>& f) {
  const unsigned registers = lookup_registers(f_.target);
  const unsigned lanes = lanes_of(x),
                 most = registers * static_cast<unsigned>(f_.target.vector_bytes) / sizeof(float);
  if (lanes <= most) return f(x);
  Values parts;
  for (unsigned first = 0; first < lanes; first += most)
    parts.push_back(f(f_.part(x, first, std::min(most, lanes - first))));
  return llvm::concatenateVectors(b_, parts);
}

llvm::Value* VectorMath::tanh(llvm::Value* x) {
  if (is_double(x)) return tanh64(x);
  return by_registers(x, [&](llvm::Value* part) { return tanh32(part); });
}

llvm::Value* VectorMath::tanh32(llvm::Value* x) {
  // Past the bound it rounds to 1. A NaN passes.
  llvm::Value *size = b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x), *most = number(x, 9.02);
  size = b_.CreateSelect(b_.CreateFCmpOGT(size, most), most, size);
  // The exponent tells the piece. It needs neither the size nor its bound, which so are not waited for.
  llvm::Value *place = fma(x, x, number(x, 0.36)), *last = number(x, 63);
  place = b_.CreateSelect(b_.CreateFCmpOLT(place, last), place, last);
  llvm::Value* row = b_.CreateLShr(b_.CreateBitCast(place, integer_type(x)), integer(x, 23));
  const TableRows c(f_, {"tanh", kTanh}, row);
  llvm::Value* r = b_.CreateFSub(size, c[0]);
  llvm::Value* square = b_.CreateFMul(r, r);
  auto line = [&](size_t column) {
    llvm::Value* slope = c[column + 1];
    return fma(slope, r, c[column]);
  };
  // A tree, in which three roundings stand one after the other: it waits least.
  llvm::Value* low = line(1);
  low = fma(square, line(3), low);
  llvm::Value* high = line(5);
  high = fma(square, c[7], high);
  llvm::Value* y = fma(b_.CreateFMul(square, square), high, low);
  // x86 before AVX-512 has no instruction that copies a sign; but y has none, so that one operation adds it.
  if (!llvm::Triple(f_.target.triple).isX86() || f_.target.vector_bytes == 64)
    return b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, y, x);
  llvm::Value* sign = b_.CreateAnd(b_.CreateBitCast(x, integer_type(x)), integer(x, int64_t{-1} << 31));
  return b_.CreateBitCast(b_.CreateOr(b_.CreateBitCast(y, integer_type(x)), sign), x->getType());
}

llvm::Value* VectorMath::tanh64(llvm::Value* x) {
  llvm::Value* size = b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x);
  llvm::Value* large = tanh_of_large(clamp(size, 0, 20));  // past the bound it rounds to 1
  // Below 0.7, |x| + |x|^3 p(x^2).
  llvm::Value* z = b_.CreateFMul(x, x);
  llvm::Value* p =
      polynomial(z, {-0.3333333333333332, 0.13333333333331243, -0.053968253967068044, 0.02186948850218254,
                     -0.008863234954321961, 0.003592121748918203, -0.0014557877782236338,
                     0.0005897858551576942, -0.00023824020159785394, 9.458711068118578e-05,
                     -3.4976668269276666e-05, 1.0432222304975781e-05, -1.7728298518761552e-06});
  llvm::Value* small = fma(b_.CreateFMul(size, z), p, size);
  llvm::Value* result = b_.CreateSelect(b_.CreateFCmpUGE(size, number(x, 0.7)), large, small);
  return b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, result, x);
}

llvm::Value* VectorMath::tanh_of_large(llvm::Value* x) {
  // With x = n ln 2 / 2 + r and C = r coth r = 1 + r^2 p(r^2), e^2x = 2^n (C + r) / (C - r), so that
  //   tanh x = 1 - (C - r) / ((2^(n-1) + 1/2) C + (2^(n-1) - 1/2) r),
  // whose quotient is at most 0.4, and so is its error.
  auto [n, half_scale] = nearest_power(x, 2 * std::numbers::log2e, -1);
  const auto [high, low] = ln2(true);
  llvm::Value* r = fma(n, number(x, -low / 2), fma(n, number(x, -high / 2), x));
  llvm::Value* half = number(x, 0.5);
  llvm::Value *more = b_.CreateFAdd(half_scale, half), *less = b_.CreateFSub(half_scale, half);
  llvm::Value* square = b_.CreateFMul(r, r);
  llvm::Value* p = polynomial(square, {0.33333333333333204, -0.02222222222161132, 0.0021164020227641476,
                                       -0.00021163394458609494, 2.1187208647775986e-05});
  llvm::Value* numerator = fma(square, p, b_.CreateFSub(number(x, 1), r));
  llvm::Value* denominator = fma(b_.CreateFMul(square, more), p, fma(less, r, more));
  return b_.CreateFSub(number(x, 1), b_.CreateFDiv(numerator, denominator));
}

llvm::Value* VectorMath::sigmoid(llvm::Value* x) {
  if (is_double(x)) return sigmoid_of(x);
  return by_registers(x, [&](llvm::Value* part) { return sigmoid_of(part); });
}

llvm::Value* VectorMath::sigmoid_of(llvm::Value* x) {
  // With e^x = U / (1 + w), 1 / (1 + e^-x) = U / ((U + 1) + w). What is denormal is zero, or U is in units of
  // 2^-shift, so that it is normal where the result is not.
  const bool wide = is_double(x);
  const int shift = f_.target.flushes_denormals ? 0 : wide ? 64 : 32;
  // Past these bounds it rounds to 0 or 1, and U would be no number. With masks the division leaves those
  // out, so that nothing waits for a bound.
  const bool masks = f_.target.vector_bytes == 64 && shift == 0;
  const double bound = wide ? 709.4 : 87.9;
  llvm::Value* near = masks ? x : clamp(x, shift ? (wide ? -746 : -104) : -bound, wide ? 600 : 60);
  const auto [numerator, rest] = wide ? exp_quotient64(near, shift) : exp_quotient32(near, shift);
  llvm::Value *one = number(x, 1), *unit = number(x, std::ldexp(1.0, -shift));
  llvm::Value* power = shift ? b_.CreateFMul(numerator, unit) : numerator;
  // What U + 1 loses where it is rounded goes to the smaller term.
  llvm::Value* sum = b_.CreateFAdd(power, one);
  llvm::Value* lost = b_.CreateFSub(power, b_.CreateFSub(sum, one));
  llvm::Value* y = b_.CreateFDiv(numerator, b_.CreateFAdd(sum, b_.CreateFAdd(rest, lost)));
  if (masks) {
    llvm::Value* positive = b_.CreateICmpSGT(b_.CreateBitCast(x, integer_type(x)), integer(x, 0));
    llvm::Value* size = b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x);
    y = b_.CreateSelect(b_.CreateFCmpULE(size, number(x, bound)), y,
                        b_.CreateSelect(positive, one, number(x, 0)));
  }
  return shift ? b_.CreateFMul(y, unit) : y;
}

VectorMath::Quotient VectorMath::exp_quotient64(llvm::Value* x, int shift) {
  // U = 2^n and 1 + w = e^m with m = n ln 2 - x.
  auto [n, power] = nearest_power(x, std::numbers::log2e, shift);
  const auto [high, low] = ln2(true);
  llvm::Value* m = b_.CreateFAdd(fma(n, number(x, high), b_.CreateFNeg(x)), b_.CreateFMul(n, number(x, low)));
  return {power, expm1_core(m)};
}

VectorMath::Quotient VectorMath::exp_quotient32(llvm::Value* x, int shift) {
  // U = 2^(n/8) and 1 + w = e^m with m = n ln 2 / 8 - x, so that a short polynomial is enough. The last three
  // bits of n tell the row of U's fraction, from whose exponent those before count.
  TableColumn fractions;
  for (int i = 0; i < kTableRows; ++i) {
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(std::exp2(i / 8.0)));
    fractions[i] = std::bit_cast<float>(bits + (static_cast<uint32_t>(shift) << 23) - (uint32_t(i) << 20));
  }
  auto [n, bits] = nearest(x, 8 * std::numbers::log2e, 0);
  llvm::Value* fraction = TableRows(f_, {"exp2", {&fractions, 1}}, bits)[0];
  llvm::Value* power =
      b_.CreateAdd(b_.CreateBitCast(fraction, integer_type(x)), b_.CreateShl(bits, integer(x, 20)));
  const auto [high, low] = ln2(false);
  llvm::Value *m = fma(n, number(x, high / 8), b_.CreateFNeg(x)),
              *tail = b_.CreateFMul(n, number(x, low / 8));
  llvm::Value* whole = b_.CreateFAdd(m, tail);
  // With FMA the tail is so small that the higher terms need not wait for it.
  if (!f_.target.fma) m = whole;
  llvm::Value* w =
      fma(b_.CreateFMul(m, m), fma(m, number(x, 0.166682168841362), number(x, 0.5000647306442261)), whole);
  return {b_.CreateBitCast(power, x->getType()), w};
}

}  // namespace rondo::codegen
