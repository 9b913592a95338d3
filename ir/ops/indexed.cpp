#include "ir/ops/ops.h"
#include "ir/ops/rules.h"

namespace rondo::ir {
namespace {

void require_ids(const Type& t) {
  if (t.dtype != DType::i32) reject("ids are i32, not {}", name_of(t.dtype));
}

Types infer_gather(const Func&, const Op&, TypeSpan in) {
  require_ids(in[1]);
  if (in[0].rank() == 0) reject("a scalar has no rows");
  Type out{in[0].dtype, in[1].shape};
  out.shape.insert(out.shape.end(), in[0].shape.begin() + 1, in[0].shape.end());
  return {out};
}

Types infer_scatter_add(const Func&, const Op& op, TypeSpan in) {
  const Type& out = op.attrs.type;
  require_ids(in[0]);
  require_number(out);
  if (out.rank() == 0) reject("a scalar has no rows");
  Type updates{out.dtype, in[0].shape};
  updates.shape.insert(updates.shape.end(), out.shape.begin() + 1, out.shape.end());
  if (in[1] != updates) reject("updates for {} are {}", to_string(out), to_string(updates));
  return {out};
}

/// Calls f(row, i) for the i-th id.
template <class F>
void for_each_row(const Array& ids, int64_t rows, F f) {
  for (int64_t i = 0; i < ids.count(); ++i) {
    const double id = ids.data[i];
    if (!(id >= 0 && id < static_cast<double>(rows)))
      reject("rondo: id {} at position {} is outside [0, {})", id, i, rows);
    f(static_cast<int64_t>(id), i);
  }
}

/// result[i..., j...] = table[ids[i...], j...].
OpDef gather_op() {
  return {.kind = OpKind::gather,
          .name = "gather",
          .arity = 2,
          .cls = OpClass::indexed,
          .attrs = {},
          .infer = infer_gather,
          .eval =
              [](const EvalContext& c) {
                const Array& table = *c.in[0];
                const int64_t width = count_of(std::span(table.shape).subspan(1));
                for_each_row(*c.in[1], table.shape[0], [&](int64_t row, int64_t i) {
                  std::copy_n(table.data.begin() + row * width, width, c.out[0].data.begin() + i * width);
                });
              },
          .grad = [](const GradContext& g) -> Values {
            return {g.b.scatter_add(g.in_type(0), g.in(1), g.d[0]), Value{}};
          },
          .vectorize = [](AllSteps& s) { return !s.stacked[0]; },  // more ids of one table
          .lower =
              [](ElementBuilder& e, const Func& func, const Op& op, const Indices& at) {
                const auto split = at.begin() + func.type(op.operands[1]).rank();
                const NodeId row = e.element(op.operands[1], Indices(at.begin(), split));
                return e.row_element(op.operands[0], row, Indices(split, at.end()));
              }};
}

/// Zeros, then result[ids[i...], j...] += updates[i..., j...], in row-major order of i.
OpDef scatter_add_op() {
  return {.kind = OpKind::scatter_add,
          .name = "scatter_add",
          .arity = 2,
          .cls = OpClass::placed,
          .attrs = {Attr::type},
          .infer = infer_scatter_add,
          .eval =
              [](const EvalContext& c) {
                Array& out = c.out[0];
                const int64_t width = count_of(std::span(out.shape).subspan(1));
                for_each_row(*c.in[0], out.shape[0], [&](int64_t row, int64_t i) {
                  for (int64_t j = 0; j < width; ++j) {
                    double& sum = out.data[row * width + j];
                    sum += c.in[1]->data[i * width + j];
                    if (out.dtype == DType::i32) sum = wrap_i32(static_cast<int64_t>(sum));
                  }
                });
              },
          .grad = [](const GradContext& g) -> Values {
            return {Value{}, g.b.gather(g.d[0], g.in(0))};
          },
          .vectorize = nullptr,  // would sum over the steps
          .lower = nullptr,
          .place =
              [](Placer& p, const Func&, const Op& op) {
                p.fill(0);
                p.scatter_add(op.operands[0], op.operands[1]);
              }};
}

}  // namespace

const std::array<OpDef, kIndexedOps>& indexed_ops() {
  static const std::array<OpDef, kIndexedOps> ops = {gather_op(), scatter_add_op()};
  return ops;
}

}  // namespace rondo::ir
