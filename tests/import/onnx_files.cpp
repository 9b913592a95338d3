#include "tests/import/onnx_files.h"

#include <algorithm>
#include <fstream>

namespace rondo::testing {
namespace {

using ::onnx::AttributeProto;
using ::onnx::TensorProto;

int type_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return TensorProto::FLOAT;
    case DType::f64: return TensorProto::DOUBLE;
    case DType::i32: return TensorProto::INT64;
    case DType::pred: return TensorProto::BOOL;
  }
  return TensorProto::UNDEFINED;
}

AttributeProto& add_attribute(::onnx::NodeProto& node, const std::string& name,
                              AttributeProto::AttributeType type) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

template <class T>
std::vector<double> raw(const TensorProto& tensor) {
  std::vector<T> numbers(tensor.raw_data().size() / sizeof(T));
  tensor.raw_data().copy(reinterpret_cast<char*>(numbers.data()), tensor.raw_data().size());
  return {numbers.begin(), numbers.end()};
}

template <class T>
std::vector<double> either(const TensorProto& tensor, const auto& listed) {
  return tensor.has_raw_data() ? raw<T>(tensor) : std::vector<double>(listed.begin(), listed.end());
}

}  // namespace

ir::Array array_of(const TensorProto& t) {
  const std::vector<int64_t> shape(t.dims().begin(), t.dims().end());
  switch (t.data_type()) {
    case TensorProto::FLOAT: return {DType::f32, shape, either<float>(t, t.float_data())};
    case TensorProto::DOUBLE: return {DType::f64, shape, either<double>(t, t.double_data())};
    case TensorProto::INT64: return {DType::i32, shape, either<int64_t>(t, t.int64_data())};
    case TensorProto::INT32: return {DType::i32, shape, either<int32_t>(t, t.int32_data())};
    default: return {DType::pred, shape, either<uint8_t>(t, t.int32_data())};
  }
}

TensorProto tensor_of(const std::string& name, const ir::Array& array) {
  TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(type_of(array.dtype));
  for (int64_t extent : array.shape) tensor.add_dims(extent);
  for (double v : array.data) {
    switch (array.dtype) {
      case DType::f32: tensor.add_float_data(static_cast<float>(v)); break;
      case DType::f64: tensor.add_double_data(v); break;
      case DType::i32: tensor.add_int64_data(v < 0x1p63 ? static_cast<int64_t>(v) : INT64_MAX); break;
      case DType::pred: tensor.add_int32_data(v != 0); break;
    }
  }
  return tensor;
}

void set(::onnx::NodeProto& node, const std::string& name, int64_t value) {
  add_attribute(node, name, AttributeProto::INT).set_i(value);
}
void set(::onnx::NodeProto& node, const std::string& name, int value) { set(node, name, int64_t{value}); }
void set(::onnx::NodeProto& node, const std::string& name, double value) {
  add_attribute(node, name, AttributeProto::FLOAT).set_f(static_cast<float>(value));
}
void set(::onnx::NodeProto& node, const std::string& name, const char* value) {
  add_attribute(node, name, AttributeProto::STRING).set_s(value);
}
void set(::onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  AttributeProto& attribute = add_attribute(node, name, AttributeProto::INTS);
  for (int64_t v : values) attribute.add_ints(v);
}
void set(::onnx::NodeProto& node, const std::string& name, const std::vector<double>& values) {
  AttributeProto& attribute = add_attribute(node, name, AttributeProto::FLOATS);
  for (double v : values) attribute.add_floats(static_cast<float>(v));
}
void set(::onnx::NodeProto& node, const std::string& name, const std::vector<std::string>& values) {
  AttributeProto& attribute = add_attribute(node, name, AttributeProto::STRINGS);
  for (const std::string& v : values) attribute.add_strings(v);
}
void set(::onnx::NodeProto& node, const std::string& name, const ::onnx::GraphProto& graph) {
  *add_attribute(node, name, AttributeProto::GRAPH).mutable_g() = graph;
}

void add_input(::onnx::GraphProto& graph, const std::string& name, DType dtype,
               const std::vector<std::string>& dims) {
  ::onnx::ValueInfoProto& input = *graph.add_input();
  input.set_name(name);
  auto& type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(type_of(dtype));
  type.mutable_shape();
  for (const std::string& dim : dims) {
    auto& added = *type.mutable_shape()->add_dim();
    if (!dim.empty() && std::all_of(dim.begin(), dim.end(), ::isdigit)) {
      added.set_dim_value(std::stoll(dim));
    } else if (!dim.empty()) {
      added.set_dim_param(dim);
    }
  }
}

void add_constant(::onnx::GraphProto& graph, const std::string& name, const ir::Array& array) {
  *graph.add_initializer() = tensor_of(name, array);
}

::onnx::NodeProto& add_node(::onnx::GraphProto& graph, const std::string& op,
                            const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
  ::onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  return node;
}

void add_output(::onnx::GraphProto& graph, const std::string& name) { graph.add_output()->set_name(name); }

::onnx::ModelProto empty_model(int64_t opset) {
  ::onnx::ModelProto model;
  model.set_ir_version(8);
  model.mutable_graph()->set_name("graph");
  model.add_opset_import()->set_version(opset);
  return model;
}

void save(const ::onnx::ModelProto& model, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  model.SerializeToOstream(&file);
}

}  // namespace rondo::testing
