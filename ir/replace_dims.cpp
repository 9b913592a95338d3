#include "ir/builder.h"

namespace rondo::ir {

namespace {

Dim replaced(const Dim& d, const DimValues& dims) {
  if (const auto parts = quotient_parts(d))
    return quotient(replaced(parts->first, dims), replaced(parts->second, dims));
  const auto value = d.is_named() ? dims.find(d.name()) : dims.end();
  return value == dims.end() ? d : Dim(value->second);
}

Type replaced(Type type, const DimValues& dims) {
  for (Dim& d : type.shape) d = replaced(d, dims);
  return type;
}

}  // namespace

Func replace_dims(const Func& func, const DimValues& dims) {
  Builder b(func.name);
  std::vector<Value> map(func.values.size());
  auto mapped = [&](const std::vector<Value>& values) {
    std::vector<Value> result;
    for (Value v : values) result.push_back(map[v.id]);
    return result;
  };
  for (Value v : func.params) map[v.id] = b.param(replaced(func.type(v), dims), func.value_name(v));
  for (const Op& op : func.ops) {
    Op copy = op;
    copy.attrs.type = replaced(op.attrs.type, dims);
    copy.attrs.dim = replaced(op.attrs.dim, dims);
    copy.attrs.longest = replaced(op.attrs.longest, dims);
    if (op.body) copy.body = std::make_shared<Func>(replace_dims(*op.body, dims));
    const std::vector<Value> results = b.copy(func, copy, mapped(op.operands));
    for (uint32_t i = 0; i < op.result_count; ++i) map[op.result(i).id] = results[i];
  }
  return std::move(b).finish(mapped(func.results));
}

}  // namespace rondo::ir
