#include "frontend/seq2seq/attention.h"

#include <fmt/format.h>

namespace rondo {
namespace {

/// x [S,B,...] repeated along the dims that a query [B,K,Q] has between batch and width.
Tensor align(Tensor x, const Tensor& query) {
  for (int axis = 1; axis + 1 < query.rank(); ++axis) x = expand(x, axis + 1, query.dim(axis));
  return x;
}

}  // namespace

Attention::Attention(Model& m, const std::string& name, Kind kind, int64_t query, int64_t values,
                     int64_t hidden, Where where)
    : kind(kind) {
  if (kind == Kind::dot && query != values)
    fail(fmt::format("attention `{}`: a dot product of queries of {} and values of {}", name, query, values),
         where);
  if (kind != Kind::additive) return;
  wq = m.param(name + ".wq", {query, hidden}, init::glorot(), where);
  wk = m.param(name + ".wk", {values, hidden}, init::glorot(), where);
  v = m.param(name + ".v", {hidden}, init::fan_in(hidden), where);
}

Memory Attention::memory(Operand values, Operand lengths) const {
  LibraryCall call("attention", values.where());
  const Tensor m = values;
  if (!is_set()) return {};
  const Shape steps_of_rows = {m.dim(0), m.dim(1)};
  const Tensor valid = less(iota(steps_of_rows, 0), lengths);
  return {m, kind == Kind::additive ? matmul(m, wk) : m, valid};
}

Attention::Read Attention::operator()(const Memory& memory, Operand query) const {
  LibraryCall call("attention", query.where());
  const Tensor asked = kind == Kind::additive ? matmul(query, wq) : query.tensor();
  const Dim steps = memory.values.dim(0);
  const Tensor keys = align(memory.keys, asked), each = expand(asked, 0, steps);
  const Tensor scores = sum(kind == Kind::additive ? tanh(each + keys) * v : each * keys, -1);
  // Steps beyond a row's length get no weight; a row of none reads its zeros.
  const Tensor weights = softmax(select(align(memory.valid, asked), scores, -1e30), 0);
  const Tensor values = align(memory.values, asked);
  return {sum(expand(weights, -1, values.dim(-1)) * values, 0), weights};
}

}  // namespace rondo
