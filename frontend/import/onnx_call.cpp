#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "frontend/import/onnx_importer.h"

namespace rondo::onnx {

ir::Type type_of(const Value& value) {
  if (const Tensor* tensor = std::get_if<Tensor>(&value)) return tensor->type();
  const ir::Array& array = *std::get<Constant>(value);
  return {array.dtype, {array.shape.begin(), array.shape.end()}};
}

const OpEntry* find_op(std::string_view name) {
  for (const OpTable* table : {&elementwise_ops(), &movement_ops(), &shape_ops(), &contraction_ops(),
                               &convolution_ops(), &recurrent_ops(), &control_ops()})
    if (const auto entry = table->find(name); entry != table->end()) return &entry->second;
  return nullptr;
}

Call::Call(Importer& importer, const Node& node, const Scope& scope, Where where)
    : importer_(importer), node_(node), scope_(scope), where_(where) {
  for (const std::string& name : node.inputs) {
    values_.push_back(name.empty() ? nullptr : scope.find(name));
    if (!name.empty() && !values_.back()) fail(fmt::format("input `{}` is computed by no node before", name));
  }
}

void Call::fail(const std::string& what) const { rondo::fail(what, where_); }

const std::string& Call::op() const { return node_.op; }

int64_t Call::opset() const { return importer_.model().opset; }

const Value& Call::value(size_t i) const {
  if (!has(i)) fail(fmt::format("input {} is missing", i));
  return *values_[i];
}

Tensor Call::tensor(size_t i) const { return importer_.tensor(value(i), where_); }

const ir::Array* Call::constant(size_t i) const {
  const Constant* constant = has(i) ? std::get_if<Constant>(values_[i]) : nullptr;
  return constant ? constant->get() : nullptr;
}

std::vector<int64_t> Call::integers(size_t i) const {
  std::vector<int64_t> integers;
  for (const ir::Dim& dim : dims(i)) {
    if (dim.is_named()) fail(fmt::format("input {} depends on dim {}", i, dim.name()));
    integers.push_back(dim.size());
  }
  return integers;
}

ir::Shape Call::shape(size_t i) const {
  ir::Shape shape = dims(i);
  if (shape.size() > kMaxRank) fail(fmt::format("a shape of {} dims", shape.size()));
  return shape;
}

ir::Shape Call::extents(size_t i) const {
  ir::Shape shape = this->shape(i);
  for (const ir::Dim& dim : shape)
    if (dim.size() < 0 || dim.size() > ir::kMaxElements) fail(fmt::format("{} is no extent", dim.size()));
  return shape;
}

ir::Shape Call::dims(size_t i) const {
  const ir::Array* array = constant(i);
  if (!array) fail(fmt::format("input {} is {}, no constant", i, to_string(type(i))));
  if (array->dtype != DType::i32 || array->shape.size() > 1)
    fail(fmt::format("input {} is {}, no list of integers", i, to_string(type(i))));
  ir::Shape shape;
  for (double v : array->data) shape.push_back(importer_.constants().dim_of(v));
  return shape;
}

double Call::number(size_t i) const {
  const ir::Array* array = constant(i);
  if (!array || array->count() != 1)
    fail(fmt::format("input {} is {}, no constant of one element", i, to_string(type(i))));
  return array->data[0];
}

bool Call::all_constant() const {
  return std::all_of(values_.begin(), values_.end(),
                     [](const Value* v) { return !v || std::holds_alternative<Constant>(*v); });
}

const Attribute* Call::find(const std::string& name) const {
  asked_.insert(name);
  const auto attribute = node_.attributes.find(name);
  return attribute == node_.attributes.end() ? nullptr : &attribute->second;
}

template <class T>
const T* Call::find_as(const std::string& name, const char* kind) const {
  const Attribute* attribute = find(name);
  if (!attribute) return nullptr;
  const T* value = std::get_if<T>(attribute);
  if (!value) fail(fmt::format("attribute {} is not {}", name, kind));
  return value;
}

int64_t Call::integer(const std::string& name, std::optional<int64_t> otherwise) const {
  if (const auto* value = find_as<int64_t>(name, "an integer")) return *value;
  if (!otherwise) fail(fmt::format("attribute {} is missing", name));
  return *otherwise;
}

double Call::number(const std::string& name, std::optional<double> otherwise) const {
  if (const auto* value = find_as<double>(name, "a number")) return *value;
  if (!otherwise) fail(fmt::format("attribute {} is missing", name));
  return *otherwise;
}

bool Call::flag(const std::string& name, bool otherwise) const {
  const int64_t value = integer(name, otherwise);
  if (value != 0 && value != 1) fail(fmt::format("attribute {} is {}, not 0 or 1", name, value));
  return value == 1;
}

std::string Call::text(const std::string& name, const std::string& otherwise) const {
  const auto* value = find_as<std::string>(name, "a text");
  return value ? *value : otherwise;
}

std::vector<int64_t> Call::integers(const std::string& name, std::vector<int64_t> otherwise) const {
  const auto* value = find_as<std::vector<int64_t>>(name, "a list of integers");
  return value ? *value : otherwise;
}

std::vector<double> Call::numbers(const std::string& name) const {
  const auto* value = find_as<std::vector<double>>(name, "a list of numbers");
  return value ? *value : std::vector<double>();
}

std::vector<std::string> Call::texts(const std::string& name) const {
  const auto* value = find_as<std::vector<std::string>>(name, "a list of texts");
  return value ? *value : std::vector<std::string>();
}

Constant Call::tensor(const std::string& name) const {
  const auto* value = find_as<Constant>(name, "a tensor");
  return value ? *value : nullptr;
}

const Graph& Call::graph(const std::string& name) const {
  const auto* value = find_as<std::shared_ptr<const Graph>>(name, "a graph");
  if (!value) fail(fmt::format("attribute {} is missing", name));
  return **value;
}

void Call::check_attributes() const {
  for (const auto& [name, value] : node_.attributes)
    if (!asked_.contains(name)) fail(fmt::format("attribute {} is not supported", name));
}

int64_t Call::axis(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= rank) fail(fmt::format("axis {} of {} dims", axis, rank));
  return axis < 0 ? axis + rank : axis;
}

bool Call::wants(size_t output) const {
  return output < node_.outputs.size() && !node_.outputs[output].empty();
}

size_t Call::outputs() const { return node_.outputs.size(); }

}  // namespace rondo::onnx
