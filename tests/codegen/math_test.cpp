// The accuracy of generated elementary functions: dense samples here, every f32 with RONDO_EVERY_FLOAT.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/codegen/loop_programs.h"

namespace rondo::test {
namespace {

using namespace ir;

struct Function {
  const char* name;
  ScalarOp op;
  double (*exact)(double);
  long double (*longer)(long double);
  float limit = std::numeric_limits<float>::infinity();  // of |x|
};

const std::vector<Function> kFunctions = {
    {"exp", ScalarOp::exp, std::exp, std::exp},
    {"log", ScalarOp::log, std::log, std::log},
    {"tanh", ScalarOp::tanh, std::tanh, std::tanh},
    {"sigmoid", ScalarOp::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); },
     [](long double x) { return 1 / (1 + std::exp(-x)); }},
    {"cos", ScalarOp::cos, std::cos, std::cos, 1e5f},
    {"floor", ScalarOp::floor, std::floor, std::floor},
};

/// y[i] = f(x[i]) for N elements of T.
template <class T>
class Compiled {
 public:
  Compiled(ScalarOp op, const codegen::Target& target) {
    DType t = sizeof(T) == 4 ? DType::f32 : DType::f64;
    Loops l({"N"});
    Kernel k;
    k.name = "function";
    k.dims = {Dim("N")};
    Expr e(k.nodes);
    NodeId x = e.load(t, l.input(t, Dim("N")), {1});
    k.stores = {store(l.output(t, Dim("N")), e.apply(op, t, {x}), {1})};
    l.add(k);
    code_ = codegen::jit(l.program, target);
  }
  void operator()(const std::vector<T>& x, std::vector<T>& y) const {
    y.resize(x.size());
    void* args[2] = {const_cast<T*>(x.data()), y.data()};
    auto n = static_cast<int64_t>(x.size());
    code_->entry()(args, &n, nullptr);
  }

 private:
  std::unique_ptr<codegen::NativeCode> code_;
};

/// x as compiled code sees it: a denormal counts as zero where the target flushes them.
template <class T>
T seen(T x, const codegen::Target& target) {
  return target.flushes_denormals && std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(T(0), x) : x;
}

/// The distance of y from the exact value in units of the last place of T there. The rounded result counts as
/// 0, also where T overflows or denormals end; a denormal that was to be flushed is infinitely far.
template <class T, class Wide>
double ulps(T y, Wide exact, const codegen::Target& target) {
  T rounded = seen(static_cast<T>(exact), target);
  if (std::isnan(rounded)) return std::isnan(y) ? 0 : std::numeric_limits<double>::infinity();
  if (y != seen(y, target)) return std::numeric_limits<double>::infinity();
  if (y == rounded) return 0;
  if (std::isinf(y) || std::isnan(y)) return std::numeric_limits<double>::infinity();
  Wide unit = std::max<Wide>(std::ldexp(Wide(1), std::ilogb(exact) + 1 - std::numeric_limits<T>::digits),
                             std::numeric_limits<T>::denorm_min());
  return static_cast<double>(std::abs(static_cast<Wide>(y) - exact) / unit);
}

#ifdef RONDO_EVERY_FLOAT

// Against the f64 form of the same function, which Math.Doubles compares to libm: a vector at a time, where
// libm would take minutes.
TEST(Math, EveryFloat) {
  for (const Function& f : kFunctions) {
    if (f.op == ScalarOp::floor || f.op == ScalarOp::cos) continue;
    const bool positive_only = f.op == ScalarOp::log;
    const codegen::Target target = codegen::target_for();
    Compiled<float> narrow(f.op, target);
    Compiled<double> wide(f.op, target);
    constexpr size_t kBlock = 8192;
    std::vector<float> x(kBlock), y(kBlock), rounded(kBlock);
    std::vector<double> wide_x(kBlock), exact(kBlock);
    double worst = 0;
    for (uint64_t first = 0; first < (uint64_t{1} << (positive_only ? 31 : 32)); first += kBlock) {
      for (size_t i = 0; i < kBlock; ++i)
        x[i] = seen(std::bit_cast<float>(static_cast<uint32_t>(first + i)), target);
      for (size_t i = 0; i < kBlock; ++i) wide_x[i] = x[i];
      narrow(x, y);
      wide(wide_x, exact);
      for (size_t i = 0; i < kBlock; ++i) rounded[i] = seen(static_cast<float>(exact[i]), target);
      // One float beside the rounded value is at most 1.5 ULP away.
      uint32_t farthest = 0;
      for (size_t i = 0; i < kBlock; ++i)
        farthest =
            std::max(farthest, std::bit_cast<uint32_t>(y[i]) - std::bit_cast<uint32_t>(rounded[i]) + 1);
      if (farthest <= 2) continue;
      for (size_t i = 0; i < kBlock; ++i) worst = std::max(worst, ulps(y[i], exact[i], target));
    }
    EXPECT_LE(worst, 2) << f.name;
  }
}

#else

/// The worst error over f32 with bit patterns first, first + step, ...
void check_floats(const Function& f, const codegen::Target& target, uint64_t step) {
  Compiled<float> compiled(f.op, target);
  std::vector<float> x, y;
  double worst = 0;
  float worst_x = 0;
  const bool within_one = f.op == ScalarOp::tanh || f.op == ScalarOp::sigmoid;
  auto flush = [&] {
    compiled(x, y);
    for (float v : y) EXPECT_FALSE(within_one && std::abs(v) > 1) << f.name;
    for (size_t i = 0; i < x.size(); ++i)
      if (double e = ulps(y[i], f.exact(seen(x[i], target)), target); e > worst) {
        worst = e;
        worst_x = x[i];
      }
    x.clear();
  };
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += step) {
    auto v = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::abs(v) > f.limit) continue;
    x.push_back(v);
    if (x.size() == 4096) flush();
  }
  flush();
  EXPECT_LE(worst, 2) << f.name << " at " << worst_x << " on " << target.cpu;
}

TEST(Math, Floats) {
  for (const codegen::Target& target : targets())
    for (const Function& f : kFunctions) check_floats(f, target, 1009);
}

/// Where the numbers of a table come from tells no bit of a result.
TEST(Math, ShuffledTablesAreThoseInMemory) {
  if (!codegen::target_for().triple.starts_with("x86_64")) GTEST_SKIP() << "no x86-64";
  const codegen::Target memory = codegen::target_for("x86-64"), shuffled = codegen::target_for("x86-64-v2");
  ASSERT_EQ(memory.lookup, codegen::Lookup::memory);
  ASSERT_EQ(shuffled.lookup, codegen::Lookup::halves);
  for (ScalarOp op : {ScalarOp::tanh, ScalarOp::sigmoid}) {
    std::vector<float> x, y, expected;
    for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 1009) {
      const auto v = std::bit_cast<float>(static_cast<uint32_t>(bits));
      if (!std::isnan(v)) x.push_back(v);
    }
    Compiled<float>(op, memory)(x, expected);
    Compiled<float>(op, shuffled)(x, y);
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(expected[i])) << x[i];
  }
}

TEST(Math, Doubles) {
  for (const codegen::Target& target : targets())
    for (const Function& f : kFunctions) {
      Compiled<double> compiled(f.op, target);
      std::vector<double> x, y;
      for (double scale : {1e-300, 1e-9, 1e-3, 1.0, 30.0, 700.0, 1e4})
        for (int i = -2000; i <= 2000; ++i)
          if (double v = scale * i * 0.00051234; std::abs(v) <= f.limit) x.push_back(v);
      compiled(x, y);
      double worst = 0, worst_x = 0;
      for (size_t i = 0; i < x.size(); ++i)
        if (double e = ulps(y[i], f.longer(seen(x[i], target)), target); e > worst) {
          worst = e;
          worst_x = x[i];
        }
      EXPECT_LE(worst, 3) << f.name << " at " << worst_x << " on " << target.cpu;
    }
}

template <class T>
void check_ends() {
  using L = std::numeric_limits<T>;
  const std::vector<T> x = {0,        T(-0.0),     L::infinity(), -L::infinity(),  L::quiet_NaN(),
                            L::max(), L::lowest(), L::min(),      L::denorm_min(), -L::denorm_min(),
                            1,        -1};
  for (const codegen::Target& target : targets())
    for (const Function& f : kFunctions) {
      if (f.op == ScalarOp::cos) continue;
      std::vector<T> y;
      Compiled<T>(f.op, target)(x, y);
      for (size_t i = 0; i < x.size(); ++i) {
        SCOPED_TRACE(std::string(f.name) + " of " + std::to_string(x[i]) + " on " + target.cpu);
        EXPECT_LE(ulps(y[i], f.longer(seen(x[i], target)), target), 2) << y[i];
        if (y[i] == 0) {
          EXPECT_EQ(std::signbit(y[i]), std::signbit(f.exact(seen(x[i], target))));
        }
      }
    }
}

TEST(Math, EndsOfFloats) { check_ends<float>(); }
TEST(Math, EndsOfDoubles) { check_ends<double>(); }

#endif

}  // namespace
}  // namespace rondo::test
