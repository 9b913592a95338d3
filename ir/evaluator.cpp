#include "ir/evaluator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "support/error.h"

namespace rondo::ir {
namespace {

Array make_array(const Type& type, const DimValues& dims) {
  Array a{type.dtype, bind(type.shape, dims), {}};
  int64_t n = 1;
  for (int64_t size : a.shape) n *= size;
  a.data.resize(static_cast<size_t>(n));
  return a;
}

void check_input(const Func& func, size_t i, const Array& a) {
  const Value p = func.params[i];
  int64_t n = 1;
  for (int64_t size : a.shape) n *= size;
  if (a.dtype != func.type(p).dtype || a.count() != n)
    throw Error(fmt::format("rondo: {}: input {} `{}` is {}, not {}[{}] with {} elements", func.name, i,
                            func.value_name(p), to_string(func.type(p)), name_of(a.dtype),
                            fmt::join(a.shape, ","), a.count()));
}

}  // namespace

DimValues bind_dims(const Func& func, std::span<const std::vector<int64_t>> shapes, DimValues dims) {
  if (shapes.size() != func.params.size())
    throw Error(
        fmt::format("rondo: {} takes {} inputs, not {}", func.name, func.params.size(), shapes.size()));
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Shape& want = func.type(func.params[i]).shape;
    auto fail = [&](const std::string& why) {
      throw Error(fmt::format("rondo: {}: input {} `{}` is {}, not [{}]: {}", func.name, i,
                              func.value_name(func.params[i]), to_string(want), fmt::join(shapes[i], ","),
                              why));
    };
    if (want.size() != shapes[i].size()) fail("ranks differ");
    for (size_t d = 0; d < want.size(); ++d) {
      const int64_t have = shapes[i][d];
      const int64_t bound =
          want[d].is_named() ? dims.try_emplace(want[d].name(), have).first->second : want[d].size();
      if (bound != have) fail(fmt::format("dim {} is {}", to_string(want[d]), bound));
    }
  }
  return dims;
}

std::vector<Array> evaluate(const Func& func, std::span<const Array* const> inputs, const DimValues& given) {
  std::vector<std::vector<int64_t>> shapes;
  for (const Array* a : inputs) shapes.push_back(a->shape);
  const DimValues dims = bind_dims(func, shapes, given);

  std::vector<Array> computed(func.values.size());
  std::vector<const Array*> values(func.values.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    check_input(func, i, *inputs[i]);
    values[func.params[i].id] = inputs[i];
  }
  for (const Op& op : func.ops) {
    const std::span<Array> out(computed.data() + op.first_result.id, op.result_count);
    for (uint32_t i = 0; i < op.result_count; ++i) {
      out[i] = make_array(func.type(op.result(i)), dims);
      values[op.result(i).id] = &out[i];
    }
    std::vector<const Array*> in;
    for (Value v : op.operands) in.push_back(values[v.id]);
    def_of(op.kind).eval({func, op, dims, in, out});
  }
  std::vector<Array> results;
  for (Value v : func.results) results.push_back(*values[v.id]);
  return results;
}

std::vector<Array> evaluate(const Func& func, std::span<const Array> inputs, const DimValues& dims) {
  std::vector<const Array*> pointers;
  for (const Array& a : inputs) pointers.push_back(&a);
  return evaluate(func, std::span<const Array* const>(pointers), dims);
}

}  // namespace rondo::ir
