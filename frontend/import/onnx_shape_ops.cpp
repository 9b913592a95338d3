// Ops of ONNX that give constants, and shapes.
#include <cmath>

#include <fmt/format.h>

#include "frontend/import/onnx_importer.h"
#include "frontend/import/onnx_shapes.h"

namespace rondo::onnx {
namespace {

constexpr int64_t kMaxRange = 1 << 24;  // elements that are listed

Constant list_of(DType dtype, std::vector<double> numbers) {
  const auto count = static_cast<int64_t>(numbers.size());
  return make_constant(dtype, {count}, std::move(numbers));
}

void emit_constant(Call& c) {
  if (const Constant value = c.tensor("value")) return c.result(value);
  if (c.has("value_float")) return c.result(make_constant(f32, {}, {c.number("value_float")}));
  if (c.has("value_int"))
    return c.result(make_constant(i32, {}, {static_cast<double>(c.integer("value_int"))}));
  if (c.has("value_floats")) return c.result(list_of(f32, c.numbers("value_floats")));
  if (!c.has("value_ints")) c.fail("has no value that is supported");
  const std::vector<int64_t> integers = c.integers("value_ints");
  c.result(list_of(i32, {integers.begin(), integers.end()}));
}

void emit_constant_of_shape(Call& c) {
  const Constant value = c.tensor("value");
  if (value && value->count() != 1) c.fail("value is not one number");
  c.result(constant(value ? value->data[0] : 0, Type{value ? value->dtype : f32, c.extents(0)}));
}

void emit_shape(Call& c) {
  const Shape shape = c.type(0).shape;
  const auto rank = static_cast<int64_t>(shape.size());
  auto within = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  const int64_t start = within(c.integer("start", 0)), end = within(c.integer("end", rank));
  c.result(c.importer().constants().shape({shape.begin() + start, shape.begin() + std::max(start, end)}));
}

void emit_size(Call& c) {
  int64_t count = 1;
  std::optional<Dim> named;
  for (const Dim& dim : c.type(0).shape) {
    if (dim.is_named() && named) c.fail(fmt::format("{}: a product of dims", to_string(c.type(0))));
    dim.is_named() ? void(named = dim) : void(count *= dim.size());
  }
  if (named && count != 1) c.fail(fmt::format("{}: a product of dims", to_string(c.type(0))));
  c.result(make_constant(i32, {},
                         {named ? c.importer().constants().number_of(*named) : static_cast<double>(count)}));
}

void emit_range(Call& c) {
  const double first = c.number(0), step = c.number(2);
  const DType dtype = c.type(0).dtype;
  if (const ir::Array* limit = c.constant(1); limit && has_names(*limit)) {
    if (first != 0 || step != 1) c.fail("a range to a named dim is not from 0 by 1");
    return c.result(iota({c.importer().constants().dim_of(limit->data[0])}, 0));
  }
  const double count = std::max(0., std::ceil((c.number(1) - first) / step));
  if (!(count <= kMaxRange)) c.fail(fmt::format("a range of {} elements", count));
  std::vector<double> numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = first + static_cast<double>(i) * step;
  c.result(list_of(dtype, std::move(numbers)));
}

}  // namespace

const OpTable& shape_ops() {
  static const OpTable ops = {
      {"Constant", {emit_constant, OpEntry::never}}, {"ConstantOfShape", {emit_constant_of_shape}},
      {"Shape", {emit_shape, OpEntry::never}},       {"Size", {emit_size, OpEntry::never}},
      {"Range", {emit_range, OpEntry::never}},
  };
  return ops;
}

}  // namespace rondo::onnx
