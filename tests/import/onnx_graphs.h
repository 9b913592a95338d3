// ONNX models of several nodes, as exporters write them.
#pragma once

#include "frontend/import/onnx.h"
#include "tests/import/onnx_files.h"

namespace rondo::testing {

/// n numbers in (-1, 1) as f32 of this shape.
ir::Array random_array(std::vector<int64_t> shape, uint64_t seed);
ir::Array integers(std::vector<double> values);
ir::Array integer(double value);

/// A tagger with batch first: x [batch,time,2] to scores [batch,time,2] and last [batch,3]. Its LSTM starts
/// from zeros whose shape it computes; it has 2 directions.
::onnx::ModelProto tagger();
/// A Loop of so many steps over s [2]: s + t, then its double is stacked.
::onnx::ModelProto counting_loop(int64_t steps);
/// A Scan over x [2,time] along axis 1, backwards: sums, from the end on, stacked along axis 1.
::onnx::ModelProto sums_from_the_end();
/// An If on a condition: x + 1, or x - 1.
::onnx::ModelProto branches();

/// The model as load_onnx reads it from a file "m.onnx".
ImportedModel import(const ::onnx::ModelProto& model, const OnnxOptions& options = {});

}  // namespace rondo::testing
