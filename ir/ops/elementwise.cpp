#include <cmath>
#include <limits>
#include <numbers>

#include "ir/ops/ops.h"
#include "ir/ops/rules.h"

// One entry an op: what it computes on scalars, its gradient, what is known of it. All operands have one
// shape; the rest is shared. Arithmetic on i32 wraps. There is no division of i32: by zero it would have no
// meaning.

namespace rondo::ir {
namespace {

using GradRule = std::vector<Value> (*)(const GradContext&);
enum class On { floats, numbers };
enum class Yields { operand, pred };
/// Members of OpDef.
struct Known {
  bool cheap = false, linear = false, chooses = false;
  std::array<uint32_t, 2> linear_in = {};
  std::array<AtZero, 2> at_zero = {};
};
constexpr Known kCheap{.cheap = true}, kChooses{.cheap = true, .chooses = true};

template <On D>
void require_domain(const Type& t) {
  if constexpr (D == On::floats)
    require_float(t);
  else
    require_number(t);
}

template <On D, Yields Y>
Types infer_pointwise(const Func&, const Op&, TypeSpan in) {
  require_domain<D>(in[0]);
  for (const Type& t : in)
    if (t != in[0]) reject("operand types differ");
  return {Y == Yields::pred ? Type{DType::pred, in[0].shape} : in[0]};
}

template <On D, class F>
void eval_pointwise(const EvalContext& c, F f) {
  Array& out = c.out[0];
  for (size_t i = 0; i < out.data.size(); ++i) {
    auto at = [&]<class N>(N) {
      if constexpr (std::is_invocable_v<F, N, N, N>)
        return f(static_cast<N>(c.in[0]->data[i]), static_cast<N>(c.in[1]->data[i]),
                 static_cast<N>(c.in[2]->data[i]));
      else if constexpr (std::is_invocable_v<F, N, N>)
        return f(static_cast<N>(c.in[0]->data[i]), static_cast<N>(c.in[1]->data[i]));
      else
        return f(static_cast<N>(c.in[0]->data[i]));
    };
    if constexpr (D == On::numbers) {
      if (c.in[0]->dtype == DType::i32) {
        out.data[i] = wrap_i32(at(int64_t{}));
        continue;
      }
    }
    out.data[i] = at(double{});
  }
}

template <ScalarOp S>
NodeId lower_pointwise(ElementBuilder& e, const Func& func, const Op& op, const Indices& at) {
  std::vector<NodeId> args;
  for (Value v : op.operands) args.push_back(e.element(v, at));
  return e.apply(S, func.type(op.result()).dtype, std::move(args));
}

/// f has no captures: it is made anew where it is called.
template <ScalarOp S, On D, Yields Y = Yields::operand, class F>
OpDef pointwise(OpKind kind, std::string_view name, F, GradRule grad, const Known& known = {}) {
  constexpr int arity = std::is_invocable_v<F, double, double, double> ? 3
                        : std::is_invocable_v<F, double, double>       ? 2
                                                                       : 1;
  return {.kind = kind,
          .name = name,
          .arity = arity,
          .cls = OpClass::pointwise,
          .attrs = {},
          .infer = infer_pointwise<D, Y>,
          .eval = [](const EvalContext& c) { eval_pointwise<D>(c, F{}); },
          .grad = grad,
          .vectorize = with_leading_dim,
          .by_row = row_by_row,
          .lower = lower_pointwise<S>,
          .cheap = known.cheap,
          .linear = known.linear,
          .linear_in = known.linear_in,
          .chooses = known.chooses,
          .at_zero = known.at_zero};
}

/// Between all dtypes. To i32: toward zero, out of range to the nearest i32, NaN to 0. To pred: is it not 0.
double cast(double x, DType to) {
  if (to == DType::pred) return x != 0;
  if (to != DType::i32) return x;
  if (std::isnan(x)) return 0;
  constexpr double lo = std::numeric_limits<int32_t>::min(), hi = std::numeric_limits<int32_t>::max();
  return std::clamp(std::trunc(x), lo, hi);
}

OpDef cast_op() {
  return {.kind = OpKind::cast,
          .name = "cast",
          .arity = 1,
          .cls = OpClass::pointwise,
          .attrs = {Attr::type},
          .infer = [](const Func&, const Op& op, TypeSpan in) -> Types {
            if (op.attrs.type.shape != in[0].shape)
              reject("cast keeps the shape, {} differs", to_string(op.attrs.type));
            return {op.attrs.type};
          },
          .eval =
              [](const EvalContext& c) {
                for (size_t i = 0; i < c.out[0].data.size(); ++i)
                  c.out[0].data[i] = cast(c.in[0]->data[i], c.out[0].dtype);
              },
          .grad = [](const GradContext& g) -> Values {
            const DType from = g.in_type(0).dtype;
            return {is_float(from) ? g.b.cast(g.d[0], from) : Value{}};
          },
          .vectorize = with_leading_dim,
          .by_row = row_by_row,
          .lower = lower_pointwise<ScalarOp::cast>,
          .cheap = true};
}

/// x itself; each element lies in [lo, dim + hi), lo at most 0. Compiled code does not look: elements of an
/// input are checked before the call, others are taken as they are.
OpDef in_range_op() {
  return {.kind = OpKind::in_range,
          .name = "in_range",
          .arity = 1,
          .cls = OpClass::pointwise,
          .attrs = {Attr::lo, Attr::hi, Attr::dim},
          .infer = [](const Func&, const Op& op, TypeSpan in) -> Types {
            if (in[0].dtype != DType::i32) reject("ids and lengths are i32, not {}", name_of(in[0].dtype));
            if (op.attrs.lo > 0) reject("lo is {}, not up to 0", op.attrs.lo);
            if (op.attrs.hi < 0) reject("hi is {}, not from 0", op.attrs.hi);
            return {in[0]};
          },
          .eval =
              [](const EvalContext& c) {
                const auto begin = static_cast<double>(c.op.attrs.lo);
                const auto end = static_cast<double>(bind(c.op.attrs.dim, c.dims) + c.op.attrs.hi);
                for (size_t i = 0; i < c.out[0].data.size(); ++i) {
                  const double x = c.out[0].data[i] = c.in[0]->data[i];
                  if (!(x >= begin && x < end))
                    reject("rondo: in_range: {} at position {} is outside [{}, {})", x, i, begin, end);
                }
              },
          .grad = nullptr,
          .vectorize = with_leading_dim,
          .by_row = row_by_row,
          .lower = [](ElementBuilder& e, const Func&, const Op& op,
                      const Indices& at) { return e.element(op.operands[0], at); },
          .ids = [](const Func&, const Op& op) -> IdRange {
            return {0, op.attrs.dim, op.attrs.hi, op.attrs.lo};
          },
          .elements_of = 0,
          .cheap = true};
}

OpDef select_op() {
  return {.kind = OpKind::select,
          .name = "select",
          .arity = 3,
          .cls = OpClass::pointwise,
          .attrs = {},
          .infer = [](const Func&, const Op&, TypeSpan in) -> Types {
            if (in[0].dtype != DType::pred) reject("the first operand chooses, it is a pred");
            if (in[1] != in[2]) reject("operand types differ");
            if (in[0].shape != in[1].shape) reject("operand shapes differ");
            return {in[1]};
          },
          .eval =
              [](const EvalContext& c) {
                for (size_t i = 0; i < c.out[0].data.size(); ++i)
                  c.out[0].data[i] = c.in[c.in[0]->data[i] != 0 ? 1 : 2]->data[i];
              },
          .grad = [](const GradContext& g) -> Values {
            const Value zero = g.b.like(g.d[0], 0);
            return {Value{}, g.b.select(g.in(0), g.d[0], zero), g.b.select(g.in(0), zero, g.d[0])};
          },
          .vectorize = with_leading_dim,
          .by_row = row_by_row,
          .lower = lower_pointwise<ScalarOp::select>,
          .cheap = true,
          .linear_in = {0b110},
          .chooses = true};
}

/// The identity, through which no gradient flows.
OpDef detach_op() {
  return {.kind = OpKind::detach,
          .name = "detach",
          .arity = 1,
          .cls = OpClass::pointwise,
          .attrs = {},
          .infer = [](const Func&, const Op&, TypeSpan in) -> Types { return {in[0]}; },
          .eval = [](const EvalContext& c) { c.out[0].data = c.in[0]->data; },
          .grad = nullptr,
          .vectorize = with_leading_dim,
          .by_row = row_by_row,
          .lower = [](ElementBuilder& e, const Func&, const Op& op,
                      const Indices& at) { return e.element(op.operands[0], at); },
          .elements_of = 0,
          .cheap = true,
          .linear = true};
}

/// d goes to the first operand, except where `second` holds.
Values route(const GradContext& g, Value second) {
  const Value zero = g.b.like(g.d[0], 0);
  return {g.b.select(second, zero, g.d[0]), g.b.select(second, g.d[0], zero)};
}

Value less(Builder& b, Value x, Value y) { return b.binary(OpKind::less, x, y); }

/// d * (1 - y) as d - d * y: no constant.
Value times_one_minus(Builder& b, Value d, Value y) { return b.sub(d, b.mul(d, y)); }

}  // namespace

const std::array<OpDef, kElementwiseOps>& elementwise_ops() {
  static const std::array<OpDef, kElementwiseOps> ops = {{
      cast_op(),
      pointwise<ScalarOp::neg, On::numbers>(
          OpKind::neg, "neg", [](auto x) { return -x; }, [](auto& g) -> Values { return {g.b.neg(g.d[0])}; },
          {.cheap = true, .linear = true}),
      pointwise<ScalarOp::exp, On::floats>(
          OpKind::exp, "exp", [](double x) { return std::exp(x); },
          [](auto& g) -> Values { return {g.b.mul(g.d[0], g.out())}; }),
      pointwise<ScalarOp::log, On::floats>(
          OpKind::log, "log", [](double x) { return std::log(x); },
          [](auto& g) -> Values { return {g.b.div(g.d[0], g.in(0))}; }),
      // y' = 1 - y^2
      pointwise<ScalarOp::tanh, On::floats>(
          OpKind::tanh, "tanh", [](double x) { return std::tanh(x); },
          [](auto& g) -> Values { return {times_one_minus(g.b, g.d[0], g.b.mul(g.out(), g.out()))}; }),
      // y' = y (1 - y)
      pointwise<ScalarOp::sigmoid, On::floats>(
          OpKind::sigmoid, "sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); },
          [](auto& g) -> Values { return {times_one_minus(g.b, g.b.mul(g.d[0], g.out()), g.out())}; }),
      // y' = 1 / (2 y)
      pointwise<ScalarOp::sqrt, On::floats>(
          OpKind::sqrt, "sqrt", [](double x) { return std::sqrt(x); },
          [](auto& g) -> Values { return {g.b.div(g.b.mul(g.d[0], g.b.like(g.d[0], 0.5)), g.out())}; }),
      // y' = -y^3 / 2
      pointwise<ScalarOp::rsqrt, On::floats>(
          OpKind::rsqrt, "rsqrt", [](double x) { return 1 / std::sqrt(x); },
          [](auto& g) -> Values {
            const Value cube = g.b.mul(g.out(), g.b.mul(g.out(), g.out()));
            return {g.b.mul(g.b.mul(g.d[0], g.b.like(g.d[0], -0.5)), cube)};
          }),
      // The gradient at 0 is 0.
      pointwise<ScalarOp::abs, On::numbers>(
          OpKind::abs, "abs", [](auto x) { return std::abs(x); },
          [](auto& g) -> Values {
            const Value zero = g.b.like(g.d[0], 0);
            const Value positive = g.b.select(less(g.b, zero, g.in(0)), g.d[0], zero);
            return {g.b.select(less(g.b, g.in(0), zero), g.b.neg(g.d[0]), positive)};
          },
          kCheap),
      // y' = -sin x, and sin x = cos(x - pi/2)
      pointwise<ScalarOp::cos, On::floats>(
          OpKind::cos, "cos", [](double x) { return std::cos(x); },
          [](auto& g) -> Values {
            const Value shifted = g.b.sub(g.in(0), g.b.like(g.in(0), std::numbers::pi / 2));
            return {g.b.neg(g.b.mul(g.d[0], g.b.unary(OpKind::cos, shifted)))};
          }),
      pointwise<ScalarOp::floor, On::floats>(
          OpKind::floor, "floor", [](double x) { return std::floor(x); }, nullptr),

      pointwise<ScalarOp::add, On::numbers>(
          OpKind::add, "add", [](auto x, auto y) { return x + y; },
          [](auto& g) -> Values {
            return {g.d[0], g.d[0]};
          },
          {.cheap = true, .linear = true, .at_zero = {AtZero::other, AtZero::other}}),
      pointwise<ScalarOp::sub, On::numbers>(
          OpKind::sub, "sub", [](auto x, auto y) { return x - y; },
          [](auto& g) -> Values {
            return {g.d[0], g.b.neg(g.d[0])};
          },
          {.cheap = true, .linear = true, .at_zero = {AtZero::unknown, AtZero::other}}),
      pointwise<ScalarOp::mul, On::numbers>(
          OpKind::mul, "mul", [](auto x, auto y) { return x * y; },
          [](auto& g) -> Values {
            return {g.b.mul(g.d[0], g.in(1)), g.b.mul(g.d[0], g.in(0))};
          },
          {.cheap = true, .linear_in = {0b01, 0b10}, .at_zero = {AtZero::zero, AtZero::zero}}),
      pointwise<ScalarOp::div, On::floats>(
          OpKind::div, "div", [](double x, double y) { return x / y; },
          [](auto& g) -> Values {
            const Value dx = g.b.div(g.d[0], g.in(1));
            return {dx, g.b.neg(g.b.mul(dx, g.out()))};
          },
          {.linear_in = {0b01}, .at_zero = {AtZero::zero, AtZero::unknown}}),
      // Where neither is less, NaNs included, value and gradient are x's.
      pointwise<ScalarOp::max, On::numbers>(
          OpKind::max, "max", [](auto x, auto y) { return x < y ? y : x; },
          [](auto& g) -> Values { return route(g, less(g.b, g.in(0), g.in(1))); }, kChooses),
      pointwise<ScalarOp::min, On::numbers>(
          OpKind::min, "min", [](auto x, auto y) { return y < x ? y : x; },
          [](auto& g) -> Values { return route(g, less(g.b, g.in(1), g.in(0))); }, kChooses),
      pointwise<ScalarOp::less, On::numbers, Yields::pred>(
          OpKind::less, "less", [](auto x, auto y) { return x < y; }, nullptr, kCheap),
      pointwise<ScalarOp::equal, On::numbers, Yields::pred>(
          OpKind::equal, "equal", [](auto x, auto y) { return x == y; }, nullptr, kCheap),

      // x y + z, rounded once where the target can; elsewhere after the product as well.
      pointwise<ScalarOp::fma, On::floats>(
          OpKind::fma, "fma", [](double x, double y, double z) { return x * y + z; },
          [](auto& g) -> Values {
            return {g.b.mul(g.d[0], g.in(1)), g.b.mul(g.d[0], g.in(0)), g.d[0]};
          },
          {.cheap = true, .linear_in = {0b101, 0b110}, .at_zero = {AtZero::other, AtZero::other}}),
      select_op(),
      in_range_op(),
      detach_op(),
  }};
  return ops;
}

}  // namespace rondo::ir
