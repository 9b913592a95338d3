// What is wrong with ONNX models, in a line each; and files that are damaged at random.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>
#include <string>

#include "frontend/import/onnx_importer.h"
#include "frontend/init.h"
#include "tests/import/onnx_graphs.h"
#include "tests/runtime/util.h"

namespace rondo {
namespace {

using ::onnx::GraphProto;
using ::onnx::ModelProto;
using testing::add_constant;
using testing::add_input;
using testing::add_node;
using testing::add_output;
using testing::error_of;

std::string error_of_model(const ModelProto& model, const OnnxOptions& options = {}) {
  return error_of([&] { testing::import(model, options); });
}

/// x f32[T,2] through one node, whose other inputs and attributes `more` adds.
ModelProto one_node(const std::string& op,
                    const std::function<void(GraphProto&, ::onnx::NodeProto&)>& more = {},
                    int64_t opset = 18) {
  ModelProto model = testing::empty_model(opset);
  GraphProto& g = *model.mutable_graph();
  add_input(g, "x", DType::f32, {"T", "2"});
  ::onnx::NodeProto& node = add_node(g, op, {"x"}, {"y"});
  if (more) more(g, node);
  add_output(g, "y");
  return model;
}

TEST(OnnxErrors, NameTheNode) {
  EXPECT_EQ(error_of_model(one_node("Wobble")), "rondo: the op is not supported in Wobble `y` (m.onnx:1)");
  EXPECT_EQ(error_of_model(one_node("Exp", [](auto&, auto& n) { n.set_input(0, "z"); })),
            "rondo: input `z` is computed by no node before in Exp `y` (m.onnx:1)");
  EXPECT_EQ(error_of_model(one_node("Exp", [](auto&, auto& n) { n.set_input(0, "y"); })),
            "rondo: input `y` is computed by no node before in Exp `y` (m.onnx:1)");
  EXPECT_EQ(error_of_model(one_node("Exp", [](auto&, auto& n) { n.clear_input(); })),
            "rondo: input 0 is missing in Exp `y` (m.onnx:1)");
  EXPECT_EQ(error_of_model(one_node("Exp", [](auto&, auto& n) { n.set_output(0, "x"); })),
            "rondo: output `x` is computed already in Exp `x` (m.onnx:1)");
  EXPECT_EQ(error_of_model(one_node("Exp", [](auto&, auto& n) { n.add_output("z"); })),
            "rondo: output 1 is not supported in Exp `y` (m.onnx:1)");
  EXPECT_EQ(error_of_model(one_node("MatMul",
                                    [](auto& g, auto& n) {
                                      add_constant(g, "w", testing::random_array({3, 2}, 1));
                                      n.add_input("w");
                                      n.set_name("a\nb");
                                    })),
            "rondo: matmul: f32[T,2] x f32[3,2]: inner dims 2 and 3 differ in MatMul `a?b` (m.onnx:1)");
  EXPECT_EQ(error_of_model(one_node("Add",
                                    [](auto& g, auto& n) {
                                      add_constant(g, "w", testing::random_array({3}, 1));
                                      n.add_input("w");
                                    })),
            "rondo: shapes [T,2] and [3] do not go together in Add `y` (m.onnx:1)");
}

TEST(OnnxErrors, NameTheAttribute) {
  auto with = [](const std::string& op, const std::string& name, auto value, int64_t opset = 18) {
    return error_of_model(one_node(
        op, [&](auto&, auto& n) { testing::set(n, name, value); }, opset));
  };
  EXPECT_EQ(with("Exp", "speed", 3), "rondo: attribute speed is not supported in Exp `y` (m.onnx:1)");
  EXPECT_EQ(with("LeakyRelu", "alpha", 3),
            "rondo: attribute alpha is not a number in LeakyRelu `y` (m.onnx:1)");
  EXPECT_EQ(with("Softmax", "axis", 2), "rondo: axis 2 of 2 dims in Softmax `y` (m.onnx:1)");
  EXPECT_EQ(with("Cast", "to", 10), "rondo: to = 10: the type is not supported in Cast `y` (m.onnx:1)");
  EXPECT_EQ(with("ReduceMean", "keepdims", 2),
            "rondo: attribute keepdims is 2, not 0 or 1 in ReduceMean `y` (m.onnx:1)");
  EXPECT_EQ(with("Transpose", "perm", std::vector<int64_t>{0, 0}),
            "rondo: transpose: f32[T,2]: axis 0 stands twice in Transpose `y` (m.onnx:1)");
  EXPECT_EQ(error_of_model(one_node("Exp",
                                    [](auto&, auto& n) {
                                      testing::set(n, "a", 1);
                                      testing::set(n, "a", 1);
                                    })),
            "rondo: m.onnx: node 1 of 1, Exp `y`: attribute a stands twice");
  EXPECT_EQ(error_of_model(one_node("Exp", [](auto&, auto& n) { n.add_attribute()->set_name("a"); })),
            "rondo: m.onnx: node 1 of 1, Exp `y`: attribute a is of no type that is supported");
}

/// x [T,1,2] through an LSTM of 3 units.
std::string error_of_lstm(const std::function<void(GraphProto&, ::onnx::NodeProto&)>& change) {
  ModelProto model = testing::empty_model();
  GraphProto& g = *model.mutable_graph();
  add_input(g, "x", DType::f32, {"T", "1", "2"});
  add_constant(g, "w", testing::random_array({1, 12, 2}, 1));
  add_constant(g, "r", testing::random_array({1, 12, 3}, 2));
  ::onnx::NodeProto& node = add_node(g, "LSTM", {"x", "w", "r"}, {"y"});
  change(g, node);
  add_output(g, "y");
  return error_of_model(model);
}

TEST(OnnxErrors, OfRecurrentOps) {
  const std::string end = " in LSTM `y` (m.onnx:1)";
  auto with = [](const char* name, auto value) {
    return error_of_lstm([&](auto&, auto& n) { testing::set(n, name, value); });
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(with("direction", "sideways"), "rondo: direction sideways is not known" + end);
  EXPECT_EQ(with("direction", "bidirectional"), "rondo: input 1 is f32[1,12,2], [2,12,2] is needed" + end);
  EXPECT_EQ(with("hidden_size", 4), "rondo: input 1 is f32[1,12,2], [1,16,2] is needed" + end);
  EXPECT_EQ(with("hidden_size", -1), "rondo: hidden_size is -1" + end);
  EXPECT_EQ(with("clip", -1.0), "rondo: clip is -1" + end);
  EXPECT_EQ(with("activations", Texts{"Tanh"}), "rondo: 1 activations, 3 are needed" + end);
  EXPECT_EQ(with("activations", Texts{"Tanh", "Tanh", "Swish"}),
            "rondo: activation `Swish` is not known" + end);
  EXPECT_EQ(with("activations", Texts{"Tanh", "Tanh", "Affine"}),
            "rondo: activation Affine has no alpha or beta" + end);
  EXPECT_EQ(with("activation_alpha", std::vector<double>{1}),
            "rondo: activation_alpha has more numbers than the activations take" + end);
  EXPECT_EQ(with("linear_before_reset", 1), "rondo: attribute linear_before_reset is not supported" + end);
  EXPECT_EQ(error_of_lstm([](auto& g, auto& n) {
              add_constant(g, "b", testing::random_array({1, 12}, 2));
              n.add_input("b");
            }),
            "rondo: input 3 is f32[1,12], [1,24] is needed" + end);
}

TEST(OnnxErrors, OfControlFlow) {
  ModelProto endless = testing::counting_loop(5);
  endless.mutable_graph()->mutable_node(0)->set_input(0, "");
  EXPECT_EQ(error_of_model(endless),
            "rondo: a Loop without a number of steps is not supported in Loop `last` (m.onnx:1)");
  ModelProto unknown = testing::counting_loop(5);
  unknown.mutable_graph()->mutable_node(0)->set_input(0, "n");
  add_input(*unknown.mutable_graph(), "n", DType::i32, {});
  EXPECT_EQ(error_of_model(unknown), "rondo: the number of steps is no constant in Loop `last` (m.onnx:1)");
  ModelProto inside = testing::counting_loop(5);
  inside.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g()->mutable_node(2)->set_op_type(
      "Wobble");
  EXPECT_EQ(error_of_model(inside),
            "rondo: the op is not supported in Loop `last`/Wobble `twice` (m.onnx:1)");
  ModelProto sideways = testing::sums_from_the_end();
  sideways.mutable_graph()->mutable_node(0)->mutable_attribute(4)->set_ints(0, 0);
  EXPECT_EQ(
      error_of_model(sideways),
      "rondo: directions of inputs and outputs that differ are not supported in Scan `total` (m.onnx:1)");
}

TEST(OnnxErrors, OfTheFile) {
  auto with = [](const std::function<void(ModelProto&)>& change) {
    ModelProto model = one_node("Exp");
    change(model);
    return error_of_model(model);
  };
  EXPECT_EQ(with([](auto& m) { m.clear_graph(); }), "rondo: m.onnx: is no ONNX model");
  EXPECT_EQ(with([](auto& m) { m.mutable_opset_import(0)->set_version(6); }),
            "rondo: m.onnx: has opset 6; 7 to 26 are supported");
  EXPECT_EQ(with([](auto& m) { m.mutable_graph()->mutable_node(0)->set_domain("acme"); }),
            "rondo: m.onnx: node 1 of 1, Exp `y`: domain acme is not supported");
  EXPECT_EQ(with([](auto& m) { add_output(*m.mutable_graph(), "z"); }),
            "rondo: m.onnx: output `z` is computed by no node");
  EXPECT_EQ(with([](auto& m) { add_input(*m.mutable_graph(), "x", DType::f32, {}); }),
            "rondo: m.onnx: input `x` has no name of its own");
  EXPECT_EQ(with([](auto& m) {
              m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(10);
            }),
            "rondo: m.onnx: input x: FLOAT16 are not supported");
  EXPECT_EQ(with([](auto& m) {
              add_constant(*m.mutable_graph(), "w", {DType::f32, {3}, {1, 2}});
            }),
            "rondo: m.onnx: initializer w: 2 numbers for 3 elements");
  EXPECT_EQ(with([](auto& m) {
              add_constant(*m.mutable_graph(), "w", {DType::f32, {-1}, {}});
            }),
            "rondo: m.onnx: initializer w: -1 is no extent");
  EXPECT_EQ(with([](auto& m) {
              add_constant(*m.mutable_graph(), "w", {DType::f32, {1}, {1}});
              m.mutable_graph()->mutable_initializer(0)->set_data_location(::onnx::TensorProto::EXTERNAL);
            }),
            "rondo: m.onnx: initializer w: data in other files are not supported");
  EXPECT_EQ(error_of([] { load_onnx("/nowhere.onnx"); }), "rondo: /nowhere.onnx: cannot be read");
}

TEST(OnnxErrors, OfOptions) {
  const ModelProto model = one_node("Exp");
  EXPECT_EQ(error_of_model(model, {.dims = {{"B", 1}}}), "rondo: m.onnx: no dim `B`; there are: T");
  EXPECT_EQ(error_of_model(model, {.values = {{"z", 1}}}), "rondo: m.onnx: no input `z`; there are: x");
  EXPECT_EQ(error_of_model(model, {.values = {{"x", 1}}}),
            "rondo: m.onnx: input x is f32[T,2]: too large for a constant");
  EXPECT_EQ(error_of_model(model, {.state = {{"x", "z"}}}), "rondo: m.onnx: no output `z`; there are: y");
  ModelProto narrower = one_node("ReduceMax", [](auto&, auto& n) { testing::set(n, "keepdims", 0); });
  EXPECT_EQ(error_of_model(narrower, {.state = {{"x", "y"}}}),
            "rondo: m.onnx: state x is f32[T,2] and y is f32[]");
}

/// Loading ends well or with an Error in one line, whatever the bytes.
void expect_no_crash(const std::string& bytes, const std::string& what) {
  try {
    onnx::import_bytes(bytes, "m.onnx");
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("rondo: ")) << what << ": " << message;
    EXPECT_EQ(message.find('\n'), message.npos) << what << ": " << message;
  } catch (const std::exception& error) {
    ADD_FAILURE() << what << ": " << error.what();
  }
}

TEST(OnnxFuzz, DamagedFilesAreErrors) {
  Random random(20);
  for (const ModelProto& model :
       {testing::tagger(), testing::counting_loop(6), testing::sums_from_the_end(), testing::branches()}) {
    const std::string bytes = model.SerializeAsString();
    for (size_t i = 0; i < 300; ++i)
      expect_no_crash(bytes.substr(0, random.bits() % bytes.size()), fmt::format("truncation {}", i));
    for (size_t i = 0; i < 2000; ++i) {
      std::string damaged = bytes;
      for (size_t k = 0; k <= random.bits() % 3; ++k)
        damaged[random.bits() % bytes.size()] = static_cast<char>(random.bits());
      expect_no_crash(damaged, fmt::format("change {}", i));
    }
  }
}

}  // namespace
}  // namespace rondo
