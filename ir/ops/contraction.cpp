#include <Eigen/Core>
#include <limits>

#include "ir/ops/ops.h"
#include "ir/ops/rules.h"

namespace rondo::ir {
namespace {

// ---- matmul: three forms, closed under differentiation
//   A[L..., K]  x B[K, N]    -> [L..., N]
//   A[L..., K]  x B[N, K]'   -> [L..., N]   {tb}
//   A[L..., K]' x B[L..., N] -> [K, N]      {ta}: contracts all leading dims, of which there is at least one

Types infer_matmul(const Func&, const Op& op, TypeSpan in) {
  const auto& [ta, tb] = std::pair(op.attrs.ta, op.attrs.tb);
  const Type &a = in[0], &b = in[1];
  require_float(a);
  if (a.dtype != b.dtype) reject("dtypes differ");
  if (ta && tb) reject("ta and tb do not go together");
  if (a.rank() < (ta ? 2 : 1)) reject("the left operand has too few dims");
  const Shape lead(a.shape.begin(), a.shape.end() - 1);
  if (ta) {
    if (a.rank() != b.rank() || !std::equal(lead.begin(), lead.end(), b.shape.begin()))
      reject("leading dims {} and {} differ", to_string(lead),
             to_string(Shape(b.shape.begin(), b.shape.end() - (b.rank() ? 1 : 0))));
    return {{a.dtype, {a.shape.back(), b.shape.back()}}};
  }
  if (b.rank() != 2) reject("the right operand is a matrix");
  const Dim& inner = b.shape[tb ? 1 : 0];
  if (a.shape.back() != inner)
    reject("inner dims {} and {} differ", to_string(a.shape.back()), to_string(inner));
  Type out{a.dtype, lead};
  out.shape.push_back(b.shape[tb ? 0 : 1]);
  return {out};
}

void eval_matmul(const EvalContext& c) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  auto matrix = [](const Array& x) {
    const int64_t rows = count_of(std::span(x.shape).first(x.shape.size() - 1));
    return Eigen::Map<const Matrix>(x.data.data(), rows, x.shape.back());
  };
  const auto a = matrix(*c.in[0]), b = matrix(*c.in[1]);
  const auto out = matrix(c.out[0]);
  Eigen::Map<Matrix> product(c.out[0].data.data(), out.rows(), out.cols());
  if (c.op.attrs.ta)
    product = a.transpose() * b;
  else if (c.op.attrs.tb)
    product = a * b.transpose();
  else
    product = a * b;
}

Values grad_matmul(const GradContext& g) {
  Builder& b = g.b;
  const Value x = g.in(0), w = g.in(1), d = g.d[0];
  if (g.op.attrs.ta) return {b.matmul(w, d, false, true), b.matmul(x, d)};
  const Value dx = b.matmul(d, w, false, !g.op.attrs.tb);
  auto rows = [&](Value v) {  // a vector counts as one row
    return b.type(v).rank() > 1 ? v : b.reshape(v, {1, b.type(v).shape[0]});
  };
  const Value dw = g.op.attrs.tb ? b.matmul(rows(d), rows(x), true) : b.matmul(rows(x), rows(d), true);
  return {dx, dw};
}

std::optional<ByRow> matmul_by_row(const Func& func, const Op& op, int64_t axis) {
  if (axis == func.type(op.operands[0]).rank() - 1) return std::nullopt;
  return op.attrs.ta ? ByRow{{axis, axis}, ByRow::kNone} : ByRow{{axis, ByRow::kNone}, axis};
}

/// Sums of few terms are bound by the latency of their additions, so that two shorter chains are faster, or
/// four where they are longer than what it takes to add four. Of more terms tiles have chains enough, and two
/// sums for each element would take twice their registers.
SumOrder order_over(const Dim& k) {
  constexpr int64_t kFewestHalved = 4, kFewestQuartered = 9, kMostQuartered = 16, kMostHalved = 64;
  if (k.is_named() || k.size() < kFewestHalved || k.size() > kMostHalved) return SumOrder::chain;
  const bool four = k.size() >= kFewestQuartered && k.size() <= kMostQuartered;
  return four ? SumOrder::quarters : SumOrder::halves;
}

NodeId lower_matmul(ElementBuilder& e, const Func& func, const Op& op, const Indices& at) {
  const Type& a = func.type(op.operands[0]);
  const Shape lead(a.shape.begin(), a.shape.end() - 1);
  auto product = [&](const Indices& i, const Indices& j) {
    return e.apply(ScalarOp::mul, a.dtype, {e.element(op.operands[0], i), e.element(op.operands[1], j)});
  };
  if (op.attrs.ta)
    return e.reduce(AccKind::sum, a.dtype, lead, SumOrder::chain, [&](const Indices& r) {
      Indices i = r, j = r;
      i.push_back(at[0]);
      j.push_back(at[1]);
      return product(i, j);
    });
  const Dim& k = a.shape.back();
  return e.reduce(AccKind::sum, a.dtype, {k}, order_over(k), [&](const Indices& r) {
    Indices i(at.begin(), at.end() - 1);
    i.push_back(r[0]);
    return product(i, op.attrs.tb ? Indices{at.back(), r[0]} : Indices{r[0], at.back()});
  });
}

OpDef matmul_op() {
  return {.kind = OpKind::matmul,
          .name = "matmul",
          .arity = 2,
          .cls = OpClass::reduction,
          .attrs = {Attr::ta, Attr::tb},
          .infer = infer_matmul,
          .eval = eval_matmul,
          .grad = grad_matmul,
          // More rows on the left; contracting them would sum over the steps.
          .vectorize = [](AllSteps& s) { return !s.attrs.ta && !s.stacked[1]; },
          .sum_steps = [](Attrs& a) { return a.ta; },
          .by_row = matmul_by_row,
          .lower = lower_matmul};
}

// ---- reductions over some axes; the other dims stay

Types infer_reduce(const Func&, const Op& op, TypeSpan in) {
  require_number(in[0]);
  require_ascending(op.attrs.axes, in[0]);
  Type out{in[0].dtype, {}};
  for (int64_t axis : other_axes(in[0].rank(), op.attrs.axes)) out.shape.push_back(in[0].shape[axis]);
  return {out};
}

/// Folds every element of the operand into its element of the result, in row-major order.
template <class F>
void fold(const EvalContext& c, const std::vector<int64_t>& axes, F f) {
  const Array& in = *c.in[0];
  const auto kept = other_axes(static_cast<int>(in.shape.size()), axes);
  std::vector<int64_t> to(kept.size());
  auto x = in.data.begin();
  for_each_index(in.shape, [&](const auto& at) {
    for (size_t i = 0; i < kept.size(); ++i) to[i] = at[kept[i]];
    f(static_cast<size_t>(position(to, c.out[0].shape)), *x++, at);
  });
}

NodeId lower_fold(ElementBuilder& e, AccKind kind, const Func& func, const Op& op,
                  const std::vector<int64_t>& axes, const Indices& at) {
  const Type& in = func.type(op.operands[0]);
  const auto kept = other_axes(in.rank(), axes);
  Shape extents;
  for (int64_t axis : axes) extents.push_back(in.shape[axis]);
  const bool lanes = kind == AccKind::sum && contains(axes, in.rank() - 1);
  return e.reduce(kind, in.dtype, extents, lanes ? SumOrder::lanes : SumOrder::chain, [&](const Indices& r) {
    Indices from(in.shape.size());
    for (size_t i = 0; i < kept.size(); ++i) from[kept[i]] = at[i];
    for (size_t i = 0; i < axes.size(); ++i) from[axes[i]] = r[i];
    return e.element(op.operands[0], from);
  });
}

/// A value of the reduced shape, repeated over the reduced dims.
Value spread(const GradContext& g, Value v) {
  const Type& in = g.in_type(0);
  return g.b.broadcast(v, in.shape, other_axes(in.rank(), g.op.attrs.axes));
}

double lowest(DType t) {
  return t == DType::i32 ? std::numeric_limits<int32_t>::min() : -std::numeric_limits<double>::infinity();
}

OpDef reduce_sum_op() {
  return {.kind = OpKind::reduce_sum,
          .name = "reduce_sum",
          .arity = 1,
          .cls = OpClass::reduction,
          .attrs = {Attr::axes},
          .infer = infer_reduce,
          .eval =
              [](const EvalContext& c) {
                const bool wrap = c.out[0].dtype == DType::i32;
                fold(c, c.op.attrs.axes, [&](size_t to, double x, const auto&) {
                  double& sum = c.out[0].data[to];
                  sum = wrap ? wrap_i32(static_cast<int64_t>(sum + x)) : sum + x;
                });
              },
          .grad = [](const GradContext& g) -> Values { return {spread(g, g.d[0])}; },
          .vectorize = with_leading_dim,
          .sum_steps =
              [](Attrs& a) {
                for (int64_t& axis : a.axes) ++axis;
                a.axes.insert(a.axes.begin(), 0);
                return true;
              },
          .by_row = [](const Func&, const Op& op, int64_t axis) -> std::optional<ByRow> {
            if (contains(op.attrs.axes, axis)) return ByRow{{axis}, ByRow::kNone};
            return beside_axes(op.attrs.axes, axis);
          },
          .lower = [](ElementBuilder& e, const Func& func, const Op& op,
                      const Indices& at) { return lower_fold(e, AccKind::sum, func, op, op.attrs.axes, at); },
          .linear = true};
}

/// Of no elements: the lowest value of the dtype. The gradient is split equally among equal maxima.
OpDef reduce_max_op() {
  return {
      .kind = OpKind::reduce_max,
      .name = "reduce_max",
      .arity = 1,
      .cls = OpClass::reduction,
      .attrs = {Attr::axes},
      .infer = infer_reduce,
      .eval =
          [](const EvalContext& c) {
            Array& out = c.out[0];
            std::fill(out.data.begin(), out.data.end(), lowest(out.dtype));
            fold(c, c.op.attrs.axes,
                 [&](size_t to, double x, const auto&) { out.data[to] = std::max(out.data[to], x); });
          },
      .grad = [](const GradContext& g) -> Values {
        Builder& b = g.b;
        const Value is_max = b.binary(OpKind::equal, g.in(0), spread(g, g.out()));
        const Value ones = b.select(is_max, b.like(g.in(0), 1), b.like(g.in(0), 0));
        const Value share = b.div(g.d[0], b.reduce_sum(ones, g.op.attrs.axes));
        return {b.mul(ones, spread(g, share))};
      },
      .vectorize = with_leading_dim,
      .by_row = [](const Func&, const Op& op, int64_t axis) -> std::optional<ByRow> {
        return beside_axes(op.attrs.axes, axis);
      },
      .lower = [](ElementBuilder& e, const Func& func, const Op& op,
                  const Indices& at) { return lower_fold(e, AccKind::max, func, op, op.attrs.axes, at); }};
}

/// The first index along `axis` at which the operand is largest; 0 where the axis is empty.
OpDef argmax_op() {
  return {.kind = OpKind::argmax,
          .name = "argmax",
          .arity = 1,
          .cls = OpClass::reduction,
          .attrs = {Attr::axis},
          .infer = [](const Func&, const Op& op, TypeSpan in) -> Types {
            require_number(in[0]);
            require_axis(op.attrs.axis, in[0]);
            Type out{DType::i32, in[0].shape};
            out.shape.erase(out.shape.begin() + op.attrs.axis);
            return {out};
          },
          .eval =
              [](const EvalContext& c) {
                std::vector<double> best(c.out[0].data.size(), lowest(c.in[0]->dtype));
                fold(c, {c.op.attrs.axis}, [&](size_t to, double x, const auto& at) {
                  if (x <= best[to]) return;
                  best[to] = x;
                  c.out[0].data[to] = static_cast<double>(at[c.op.attrs.axis]);
                });
              },
          .grad = nullptr,
          .vectorize = with_leading_dim,
          .by_row = [](const Func&, const Op& op, int64_t axis) -> std::optional<ByRow> {
            return beside_axes({op.attrs.axis}, axis);
          },
          .lower =
              [](ElementBuilder& e, const Func& func, const Op& op, const Indices& at) {
                return lower_fold(e, AccKind::argmax, func, op, {op.attrs.axis}, at);
              }};
}

}  // namespace

const std::array<OpDef, kContractionOps>& contraction_ops() {
  static const std::array<OpDef, kContractionOps> ops = {matmul_op(), reduce_sum_op(), reduce_max_op(),
                                                         argmax_op()};
  return ops;
}

}  // namespace rondo::ir
