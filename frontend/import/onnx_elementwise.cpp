// Ops of ONNX that go element by element, after broadcasting.
#include <cmath>

#include <fmt/format.h>

#include "frontend/import/onnx_activations.h"
#include "frontend/import/onnx_constants.h"
#include "frontend/import/onnx_shapes.h"

namespace rondo::onnx {
namespace {

/// Of one input or more, from left to right.
template <class F>
Tensor folded(const Call& c, F f) {
  Shape shape = c.type(0).shape;
  for (size_t i = 1; i < c.inputs(); ++i) shape = broadcast_shape(c, shape, c.type(i).shape);
  Tensor result = broadcast_to(c.tensor(0), shape);
  for (size_t i = 1; i < c.inputs(); ++i) result = f(result, broadcast_input(c, i, shape));
  return result;
}

Tensor constant_like(const Tensor& x, double number) { return constant(number, x.type()); }
Tensor as_pred(const Tensor& x, double number) { return constant(number, Type{pred, x.shape()}); }

Tensor logical_not(const Tensor& p) { return select(p, as_pred(p, 0), as_pred(p, 1)); }
Tensor logical_and(const Tensor& p, const Tensor& q) { return select(p, q, as_pred(p, 0)); }
Tensor logical_or(const Tensor& p, const Tensor& q) { return select(p, as_pred(p, 1), q); }
Tensor equals(const Tensor& a, const Tensor& b) {
  return a.dtype() == pred ? equal(cast(a, i32), cast(b, i32)) : equal(a, b);
}

void emit_mod(Call& c) {
  if (c.flag("fmod") || c.type(0).dtype != i32) c.fail("is supported for integers with fmod = 0 only");
  const Tensor a = folded(c, [](const Tensor& x, const Tensor&) { return x; });
  const Tensor b = broadcast_input(c, 1, a.shape());
  c.result(a - b * cast(floor(cast(a, f64) / cast(b, f64)), i32));
}

/// x^n by squaring.
Tensor integer_power(const Tensor& x, int n) {
  if (n < 0) return 1 / integer_power(x, -n);
  if (n == 0) return constant_like(x, 1);
  const Tensor half = n == 1 ? x : integer_power(x, n / 2);
  if (n == 1) return x;
  return n % 2 ? half * half * x : half * half;
}

void emit_pow(Call& c) {
  const ir::Array* exponent = c.constant(1);
  if (!exponent || exponent->data.empty() || !is_uniform(*exponent))
    c.fail("the exponent is not one constant number");
  const double n = exponent->data[0];
  const Tensor x = broadcast_to(c.tensor(0), broadcast_shape(c, c.type(0).shape, c.type(1).shape));
  if (n == 0.5) return c.result(sqrt(x));
  if (n == std::floor(n) && std::abs(n) <= 64) return c.result(integer_power(x, static_cast<int>(n)));
  if (n == std::floor(n)) c.fail(fmt::format("the exponent {} is not supported", n));
  c.result(exp(n * log(x)));  // NaN below zero, as it should be
}

void emit_activation(Call& c) {
  const ActivationDef& activation = *find_activation(c.op());
  const double alpha = activation.constants > 0 ? c.number("alpha", activation.alpha) : 0;
  const double beta = activation.constants > 1 ? c.number("beta", activation.beta) : 0;
  c.result(activation.apply(c.tensor(0), alpha, beta));
}

/// A bound of Clip: an input since opset 11, an attribute before.
std::optional<double> bound(const Call& c, const char* name, size_t input) {
  if (c.opset() < 11) return c.has(name) ? std::optional(c.number(name)) : std::nullopt;
  return c.has(input) ? std::optional(c.number(input)) : std::nullopt;
}

void emit_clip(Call& c) {
  Tensor x = c.tensor(0);
  if (const auto least = bound(c, "min", 1)) x = max(x, *least);
  if (const auto most = bound(c, "max", 2)) x = min(x, *most);
  c.result(x);
}

void emit_where(Call& c) {
  Shape shape = broadcast_shape(c, c.type(1).shape, c.type(2).shape);
  shape = broadcast_shape(c, c.type(0).shape, shape);
  c.result(select(broadcast_input(c, 0, shape), broadcast_input(c, 1, shape), broadcast_input(c, 2, shape)));
}

void emit_prelu(Call& c) {
  const Tensor x = c.tensor(0), slope = broadcast_input(c, 1, x.shape());
  c.result(select(less(x, 0), slope * x, x));
}

void emit_selu(Call& c) {
  const double alpha = c.number("alpha", 1.67326319217681884765625);
  const double gamma = c.number("gamma", 1.05070102214813232421875);
  const Tensor x = c.tensor(0);
  c.result(gamma * select(less(x, 0), alpha * (exp(min(x, 0)) - 1), x));
}

void emit_gelu(Call& c) {
  if (c.text("approximate", "none") != "tanh") c.fail("is supported with approximate = tanh only");
  const Tensor x = c.tensor(0);
  c.result(0.5 * x * (1 + tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))));
}

void emit_cast(Call& c) {
  // FLOAT 1, UINT8 2, INT8 3, UINT16 4, INT16 5, INT32 6, INT64 7, BOOL 9, DOUBLE 11, as TensorProto has them
  const std::map<int64_t, DType> types = {{1, f32}, {6, i32}, {7, i32}, {9, pred}, {11, f64}};
  const int64_t to = c.integer("to");
  c.flag("saturate", true);  // of eight-bit floats only
  const auto type = types.find(to);
  if (type == types.end()) c.fail(fmt::format("to = {}: the type is not supported", to));
  if (c.type(0).dtype == type->second) return c.result(c.value(0));
  c.result(cast(c.tensor(0), type->second));
}

void emit_identity(Call& c) { c.result(c.value(0)); }

void emit_dropout(Call& c) {
  c.number("ratio", 0.5);
  c.integer("seed", 0);
  if (c.has(2) && c.number(2) != 0) c.fail("is supported for inference only");
  c.result(c.value(0));
  if (c.wants(1)) c.result(constant(1, Type{pred, c.type(0).shape}));
}

/// f has no captures: it is made anew where it is called.
template <class F>
OpEntry unary(F) {
  return {[](Call& c) { c.result(F{}(c.tensor(0))); }};
}
template <class F>
OpEntry binary(F, OpEntry::Folds folds = OpEntry::always) {
  return {[](Call& c) {
            const Shape shape = broadcast_shape(c, c.type(0).shape, c.type(1).shape);
            c.result(F{}(broadcast_input(c, 0, shape), broadcast_input(c, 1, shape)));
          },
          folds};
}
template <class F>
OpEntry from_left(F) {
  return {[](Call& c) { c.result(folded(c, F{})); }};
}

using T = const Tensor&;

const OpTable& arithmetic() {
  static const OpTable ops = {
      {"Add", binary([](T a, T b) { return a + b; })},
      {"Sub", binary([](T a, T b) { return a - b; })},
      {"Mul", binary([](T a, T b) { return a * b; })},
      {"Div", binary([](T a, T b) {
         return a.dtype() == i32 ? cast(cast(a, f64) / cast(b, f64), i32) : a / b;  // integers: toward zero
       })},
      {"Mod", {emit_mod}},
      {"Pow", {emit_pow}},
      {"Sum", from_left([](T a, T b) { return a + b; })},
      {"Max", from_left([](T a, T b) { return max(a, b); })},
      {"Min", from_left([](T a, T b) { return min(a, b); })},
      {"Mean", {[](Call& c) {
         c.result(folded(c, [](T a, T b) { return a + b; }) / static_cast<double>(c.inputs()));
       }}},
      {"Abs", unary([](T x) { return abs(x); })},
      {"Neg", unary([](T x) { return -x; })},
      {"Reciprocal", unary([](T x) { return 1 / x; })},
      {"Exp", unary([](T x) { return exp(x); })},
      {"Log", unary([](T x) { return log(x); })},
      {"Sqrt", unary([](T x) { return sqrt(x); })},
      {"Floor", unary([](T x) { return floor(x); })},
      {"Ceil", unary([](T x) { return -floor(-x); })},
      {"Cos", unary([](T x) { return cos(x); })},
      {"Sign",
       unary([](T x) { return select(less(x, 0), -1, select(greater(x, 0), constant_like(x, 1), 0)); })},
  };
  return ops;
}

const OpTable& logic() {
  static const OpTable ops = {
      {"Equal", binary([](T a, T b) { return equals(a, b); }, OpEntry::moves)},
      {"Less", binary([](T a, T b) { return less(a, b); })},
      {"Greater", binary([](T a, T b) { return greater(a, b); })},
      {"LessOrEqual", binary([](T a, T b) { return logical_or(less(a, b), equal(a, b)); })},
      {"GreaterOrEqual", binary([](T a, T b) { return logical_or(greater(a, b), equal(a, b)); })},
      {"And", binary([](T a, T b) { return logical_and(a, b); })},
      {"Or", binary([](T a, T b) { return logical_or(a, b); })},
      {"Xor", binary([](T a, T b) { return logical_not(equals(a, b)); })},
      {"Not", unary([](T x) { return logical_not(x); })},
      {"Where", {emit_where, OpEntry::moves}},
  };
  return ops;
}

const OpTable& functions() {
  static const OpTable ops = {
      {"Relu", {emit_activation}},
      {"Tanh", {emit_activation}},
      {"Sigmoid", {emit_activation}},
      {"Softsign", {emit_activation}},
      {"Softplus", {emit_activation}},
      {"LeakyRelu", {emit_activation}},
      {"ThresholdedRelu", {emit_activation}},
      {"Elu", {emit_activation}},
      {"HardSigmoid", {emit_activation}},
      {"HardSwish", unary([](T x) { return x * max(min(x / 6 + 0.5, 1), 0); })},
      {"PRelu", {emit_prelu}},
      {"Selu", {emit_selu}},
      {"Gelu", {emit_gelu}},
      {"Clip", {emit_clip}},
      {"Cast", {emit_cast, OpEntry::moves}},
      {"Identity", {emit_identity, OpEntry::moves}},
      {"Dropout", {emit_dropout}},
  };
  return ops;
}

}  // namespace

const OpTable& elementwise_ops() {
  static const OpTable ops = [] {
    OpTable all;
    for (const OpTable* table : {&arithmetic(), &logic(), &functions()})
      all.insert(table->begin(), table->end());
    return all;
  }();
  return ops;
}

}  // namespace rondo::onnx
