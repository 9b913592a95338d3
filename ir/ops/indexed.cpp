#include <map>

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

/// Rows of a table are [ids..., j...] for table[., j...].
void require_rows(const Type& rows, const Type& ids, const Type& table) {
  if (table.rank() == 0) reject("a scalar has no rows");
  Type wanted{table.dtype, ids.shape};
  wanted.shape.insert(wanted.shape.end(), table.shape.begin() + 1, table.shape.end());
  if (rows != wanted) reject("updates for {} are {}", to_string(table), to_string(wanted));
}

Types infer_scatter_add(const Func&, const Op& op, TypeSpan in) {
  require_ids(in[0]);
  require_number(op.attrs.type);
  require_rows(in[1], in[0], op.attrs.type);
  return {op.attrs.type};
}

Types infer_scatter(const Func&, const Op&, TypeSpan in) {
  require_ids(in[1]);
  require_rows(in[2], in[1], in[0]);
  return {in[0]};
}

Types infer_sum_repeated(const Func&, const Op& op, TypeSpan in) {
  require_ids(in[0]);
  checked_extent(op.attrs.dim.size());
  require_number(in[1]);
  const Shape &ids = in[0].shape, &updates = in[1].shape;
  if (ids.size() > updates.size() || !std::equal(ids.begin(), ids.end(), updates.begin()))
    reject("updates of ids {} start with these dims, not {}", to_string(ids), to_string(updates));
  return {in[1]};
}

/// Calls f(row, i) for the i-th of the op's ids.
template <class F>
void for_each_row(const EvalContext& c, F f) {
  const IdRange range = def_of(c.op.kind).ids(c.func, c.op);
  const Array& ids = *c.in[range.operand];
  const int64_t rows = ir::bind(range.dim, c.dims);
  for (int64_t i = 0; i < ids.count(); ++i) {
    const double id = ids.data[i];
    if (!(id >= 0 && id < static_cast<double>(rows)))
      reject("rondo: id {} at position {} is outside [0, {})", id, i, rows);
    f(static_cast<int64_t>(id), i);
  }
}

/// The elements of a row.
int64_t width_of(const Array& table) { return count_of(std::span(table.shape).subspan(1)); }

/// Adds row i of the updates to a row of the result.
void add_row(Array& out, int64_t row, const Array& updates, int64_t i, int64_t width) {
  for (int64_t j = 0; j < width; ++j) {
    double& sum = out.data[row * width + j];
    sum += updates.data[i * width + j];
    if (out.dtype == DType::i32) sum = wrap_i32(static_cast<int64_t>(sum));
  }
}

/// Ids of rows of the first operand.
IdRange ids_of_table(const Func& func, const Op& op) { return {1, func.type(op.operands[0]).shape[0]}; }

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
                const int64_t width = width_of(*c.in[0]);
                for_each_row(c, [&](int64_t row, int64_t i) {
                  std::copy_n(c.in[0]->data.begin() + row * width, width, c.out[0].data.begin() + i * width);
                });
              },
          .grad = [](const GradContext& g) -> Values {
            return {g.b.scatter_add(g.in_type(0), g.in(1), g.d[0]), Value{}};
          },
          .vectorize = [](AllSteps& s) { return !s.stacked[0]; },  // more ids of one table
          .by_row = rows_of_second,
          .lower =
              [](ElementBuilder& e, const Func& func, const Op& op, const Indices& at) {
                const auto split = at.begin() + func.type(op.operands[1]).rank();
                const NodeId row = e.element(op.operands[1], Indices(at.begin(), split));
                return e.row_element(op.operands[0], row, Indices(split, at.end()));
              },
          .ids = ids_of_table,
          .elements_of = 0};
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
                const int64_t width = width_of(c.out[0]);
                for_each_row(c, [&](int64_t row, int64_t i) { add_row(c.out[0], row, *c.in[1], i, width); });
              },
          .grad = [](const GradContext& g) -> Values {
            return {Value{}, g.b.gather(g.d[0], g.in(0))};
          },
          .vectorize = nullptr,  // would sum over the steps
          .sum_steps = [](Attrs&) { return true; },
          .by_row = nullptr,  // a sum over rows, but each part of them would make a whole table
          .lower = nullptr,
          .place =
              [](Placer& p, const Func&, const Op& op) {
                p.fill(0);
                p.scatter_add(op.operands[0], op.operands[1]);
              },
          .ids = [](const Func&, const Op& op) -> IdRange {
            return {0, op.attrs.type.shape[0]};
          }};
}

/// The table, then result[ids[i...], j...] = rows[i..., j...], in row-major order of i.
OpDef scatter_op() {
  return {.kind = OpKind::scatter,
          .name = "scatter",
          .arity = 3,
          .cls = OpClass::placed,
          .attrs = {},
          .infer = infer_scatter,
          .eval =
              [](const EvalContext& c) {
                Array& out = c.out[0];
                out.data = c.in[0]->data;
                const int64_t width = width_of(out);
                for_each_row(c, [&](int64_t row, int64_t i) {
                  std::copy_n(c.in[2]->data.begin() + i * width, width, out.data.begin() + row * width);
                });
              },
          .grad = [](const GradContext& g) -> Values {
            const Type &table = g.in_type(0), &ids = g.in_type(1), &rows = g.in_type(2);
            const Value zeros = g.b.constant(rows, 0), ones = g.b.constant({rows.dtype, ids.shape}, 1);
            const Value times = g.b.sum_repeated(table.shape[0], g.in(1), ones);
            std::vector<int64_t> axes;
            for (int64_t i = 0; i < ids.rank(); ++i) axes.push_back(i);
            const Value stays = g.b.binary(OpKind::less, g.b.like(times, 0), times);
            return {g.b.scatter(g.d[0], g.in(1), zeros), Value{},
                    g.b.select(g.b.broadcast(stays, rows.shape, axes), g.b.gather(g.d[0], g.in(1)), zeros)};
          },
          .vectorize = nullptr,  // rows of one step would replace those of another
          .lower = nullptr,
          .place =
              [](Placer& p, const Func&, const Op& op) {
                p.start(op.operands[0]);
                p.scatter(op.operands[1], op.operands[2]);
              },
          .ids = ids_of_table};
}

/// result[i...] = sum of updates[k...] over all k with ids[k] = ids[i], in row-major order of k, if none of
/// them comes after i; else 0. The rows of scatter_add that are not zero, each once, in as much memory as the
/// updates take.
OpDef sum_repeated_op() {
  return {.kind = OpKind::sum_repeated,
          .name = "sum_repeated",
          .arity = 2,
          .cls = OpClass::placed,
          .attrs = {Attr::dim},
          .infer = infer_sum_repeated,
          .eval =
              [](const EvalContext& c) {
                const int64_t ids = c.in[0]->count();
                Array& out = c.out[0];
                std::map<int64_t, int64_t> last;
                for_each_row(c, [&](int64_t row, int64_t i) { last[row] = i; });
                const int64_t width = ids > 0 ? out.count() / ids : 0;
                std::fill(out.data.begin(), out.data.end(), 0.0);
                for_each_row(c, [&](int64_t row, int64_t i) { add_row(out, last[row], *c.in[1], i, width); });
              },
          .grad = [](const GradContext& g) -> Values {
            const Type &ids = g.in_type(0), &updates = g.in_type(1);
            Type table{updates.dtype, {g.op.attrs.dim}};
            table.shape.insert(table.shape.end(), updates.shape.begin() + ids.rank(), updates.shape.end());
            const Value by_id = g.b.scatter(g.b.constant(table, 0), g.in(0), g.d[0]);
            return {Value{}, g.b.gather(by_id, g.in(0))};
          },
          .vectorize = nullptr,  // would sum over the steps
          .lower = nullptr,
          .place =
              [](Placer& p, const Func&, const Op& op) {
                p.fill(0);
                p.sum_repeated(op.operands[0], op.operands[1], op.attrs.dim);
              },
          .ids = [](const Func&, const Op& op) -> IdRange {
            return {0, op.attrs.dim};
          }};
}

}  // namespace

const std::array<OpDef, kIndexedOps>& indexed_ops() {
  static const std::array<OpDef, kIndexedOps> ops = {gather_op(), scatter_add_op(), scatter_op(),
                                                     sum_repeated_op()};
  return ops;
}

}  // namespace rondo::ir
