// ONNX models that tests build, and tensors of ONNX files as arrays.
#pragma once

#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

#include "ir/op_def.h"

namespace rondo::testing {

/// A tensor of f32, f64, int32, int64 or bool as the array it stands for.
ir::Array array_of(const ::onnx::TensorProto& tensor);

/// The array as a tensor of f32, f64, int64 or bool.
::onnx::TensorProto tensor_of(const std::string& name, const ir::Array& array);

/// Sets one attribute, whose kind follows from the value.
void set(::onnx::NodeProto& node, const std::string& name, int64_t value);
void set(::onnx::NodeProto& node, const std::string& name, int value);
void set(::onnx::NodeProto& node, const std::string& name, double value);
void set(::onnx::NodeProto& node, const std::string& name, const char* value);
void set(::onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values);
void set(::onnx::NodeProto& node, const std::string& name, const std::vector<double>& values);
void set(::onnx::NodeProto& node, const std::string& name, const std::vector<std::string>& values);
void set(::onnx::NodeProto& node, const std::string& name, const ::onnx::GraphProto& graph);

/// An input whose dims are numbers or names; "" for one that has neither.
void add_input(::onnx::GraphProto& graph, const std::string& name, DType dtype,
               const std::vector<std::string>& dims);
void add_constant(::onnx::GraphProto& graph, const std::string& name, const ir::Array& array);
::onnx::NodeProto& add_node(::onnx::GraphProto& graph, const std::string& op,
                            const std::vector<std::string>& inputs, const std::vector<std::string>& outputs);
void add_output(::onnx::GraphProto& graph, const std::string& name);

/// A model without nodes.
::onnx::ModelProto empty_model(int64_t opset = 18);
void save(const ::onnx::ModelProto& model, const std::string& path);

}  // namespace rondo::testing
