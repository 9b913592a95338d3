// ONNX files for tests: tensors as arrays.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

#include "ir/op_def.h"

namespace rondo::testing {

/// A tensor of f32, or of integers or bools as the test data has them, as the array it stands for.
inline ir::Array array_of(const ::onnx::TensorProto& t) {
  using ::onnx::TensorProto;
  ir::Array array{DType::i32, {t.dims().begin(), t.dims().end()}, {}};
  auto raw = [&]<class T>(T) {
    std::vector<T> numbers(t.raw_data().size() / sizeof(T));
    t.raw_data().copy(reinterpret_cast<char*>(numbers.data()), t.raw_data().size());
    array.data.assign(numbers.begin(), numbers.end());
  };
  switch (t.data_type()) {
    case TensorProto::FLOAT:
      array.dtype = DType::f32;
      raw(float());
      array.data.insert(array.data.end(), t.float_data().begin(), t.float_data().end());
      break;
    case TensorProto::INT64:
      raw(int64_t());
      array.data.insert(array.data.end(), t.int64_data().begin(), t.int64_data().end());
      break;
    case TensorProto::INT32:
      raw(int32_t());
      array.data.insert(array.data.end(), t.int32_data().begin(), t.int32_data().end());
      break;
    default:
      array.dtype = DType::pred;
      raw(uint8_t());
      array.data.insert(array.data.end(), t.int32_data().begin(), t.int32_data().end());
  }
  return array;
}

}  // namespace rondo::testing
