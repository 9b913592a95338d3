#include "tests/import/onnx_graphs.h"

#include "frontend/import/onnx_importer.h"
#include "frontend/init.h"

namespace rondo::testing {

ir::Array random_array(std::vector<int64_t> shape, uint64_t seed) {
  ir::Array array{DType::f32, std::move(shape), {}};
  int64_t count = 1;
  for (int64_t n : array.shape) count *= n;
  Random random(seed);
  for (int64_t i = 0; i < count; ++i) array.data.push_back(static_cast<float>(2 * random.uniform() - 1));
  return array;
}

ir::Array integers(std::vector<double> values) {
  const auto count = static_cast<int64_t>(values.size());
  return {DType::i32, {count}, std::move(values)};
}

ir::Array integer(double value) { return {DType::i32, {}, {value}}; }

::onnx::ModelProto tagger() {
  ::onnx::ModelProto model = empty_model(17);
  ::onnx::GraphProto& g = *model.mutable_graph();
  add_input(g, "x", DType::f32, {"batch", "time", "2"});
  add_constant(g, "lstm/W", random_array({2, 12, 2}, 1));
  add_constant(g, "lstm/R", random_array({2, 12, 3}, 2));
  add_constant(g, "lstm/B", random_array({2, 24}, 3));
  add_constant(g, "head.weight", random_array({2, 6}, 4));
  add_constant(g, "head.bias", random_array({2}, 5));
  add_constant(g, "zero", integer(0));
  add_constant(g, "minus_one", integer(-1));
  add_constant(g, "axis_0", integers({0}));
  add_constant(g, "axis_2", integers({2}));
  add_constant(g, "two", integers({2}));
  add_constant(g, "three", integers({3}));
  set(add_node(g, "Transpose", {"x"}, {"xs"}), "perm", std::vector<int64_t>{1, 0, 2});
  add_node(g, "Shape", {"x"}, {"shape"});
  set(add_node(g, "Gather", {"shape", "zero"}, {"rows"}), "axis", 0);
  add_node(g, "Unsqueeze", {"rows", "axis_0"}, {"rows_list"});
  set(add_node(g, "Concat", {"two", "rows_list", "three"}, {"state_shape"}), "axis", 0);
  add_node(g, "ConstantOfShape", {"state_shape"}, {"h0"});
  auto& lstm = add_node(g, "LSTM", {"xs", "lstm/W", "lstm/R", "lstm/B", "", "h0", "h0"}, {"ys", "h"});
  set(lstm, "hidden_size", 3);
  set(lstm, "direction", "bidirectional");
  set(add_node(g, "Transpose", {"ys"}, {"by_row"}), "perm", std::vector<int64_t>{2, 0, 1, 3});
  add_node(g, "Reshape", {"by_row", "merged_shape"}, {"joined"});
  set(add_node(g, "Transpose", {"head.weight"}, {"head.matrix"}), "perm", std::vector<int64_t>{1, 0});
  add_node(g, "MatMul", {"joined", "head.matrix"}, {"products"});
  add_node(g, "Add", {"products", "head.bias"}, {"scores"});
  set(add_node(g, "Gather", {"h", "minus_one"}, {"last"}), "axis", 0);
  add_constant(g, "merged_shape", integers({0, 0, -1}));
  add_output(g, "scores");
  add_output(g, "last");
  return model;
}

::onnx::ModelProto counting_loop(int64_t steps) {
  ::onnx::ModelProto model = empty_model();
  ::onnx::GraphProto& g = *model.mutable_graph();
  add_input(g, "s", DType::f32, {"2"});
  add_constant(g, "steps", integer(static_cast<double>(steps)));
  ::onnx::GraphProto body;
  body.set_name("body");
  add_input(body, "t", DType::i32, {});
  add_input(body, "go", DType::pred, {});
  add_input(body, "before", DType::f32, {"2"});
  set(add_node(body, "Cast", {"t"}, {"step"}), "to", 1);
  add_node(body, "Add", {"before", "step"}, {"after"});
  add_node(body, "Add", {"after", "after"}, {"twice"});
  for (const char* name : {"go", "after", "twice"}) add_output(body, name);
  set(add_node(g, "Loop", {"steps", "", "s"}, {"last", "all"}), "body", body);
  add_output(g, "last");
  add_output(g, "all");
  return model;
}

::onnx::ModelProto sums_from_the_end() {
  ::onnx::ModelProto model = empty_model();
  ::onnx::GraphProto& g = *model.mutable_graph();
  add_input(g, "x", DType::f32, {"2", "time"});
  add_constant(g, "start", {DType::f32, {2}, {0.5, -0.5}});
  ::onnx::GraphProto body;
  body.set_name("body");
  add_input(body, "sum", DType::f32, {"2"});
  add_input(body, "element", DType::f32, {"2"});
  add_node(body, "Add", {"sum", "element"}, {"next"});
  add_node(body, "Identity", {"next"}, {"stacked"});
  for (const char* name : {"next", "stacked"}) add_output(body, name);
  auto& scan = add_node(g, "Scan", {"start", "x"}, {"total", "sums"});
  set(scan, "num_scan_inputs", 1);
  set(scan, "scan_input_axes", std::vector<int64_t>{1});
  set(scan, "scan_output_axes", std::vector<int64_t>{-1});
  set(scan, "scan_input_directions", std::vector<int64_t>{1});
  set(scan, "scan_output_directions", std::vector<int64_t>{1});
  set(scan, "body", body);
  add_output(g, "total");
  add_output(g, "sums");
  return model;
}

::onnx::ModelProto branches() {
  ::onnx::ModelProto model = empty_model();
  ::onnx::GraphProto& g = *model.mutable_graph();
  add_input(g, "condition", DType::pred, {});
  add_input(g, "x", DType::f32, {"rows"});
  add_constant(g, "one", {DType::f32, {}, {1}});
  ::onnx::GraphProto yes, no;
  yes.set_name("yes");
  no.set_name("no");
  add_node(yes, "Add", {"x", "one"}, {"more"});
  add_output(yes, "more");
  add_node(no, "Sub", {"x", "one"}, {"less"});
  add_output(no, "less");
  auto& node = add_node(g, "If", {"condition"}, {"y"});
  set(node, "then_branch", yes);
  set(node, "else_branch", no);
  add_output(g, "y");
  return model;
}

ImportedModel import(const ::onnx::ModelProto& model, const OnnxOptions& options) {
  return onnx::import_bytes(model.SerializeAsString(), "m.onnx", options);
}

}  // namespace rondo::testing
