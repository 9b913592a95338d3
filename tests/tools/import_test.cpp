// Models of other programs on the command line.
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "runtime/weights.h"
#include "tests/runtime/util.h"
#include "tests/support/shell.h"
#if RONDO_WITH_ONNX
#include "tests/import/onnx_files.h"
#endif

namespace rondo {
namespace {

using testing::Outcome;
using testing::TempDir;

Outcome rondo(const std::string& args) { return testing::shell("'" RONDO_TOOL "' " + args); }

void expect_error(const std::string& args, const std::string& message) {
  const Outcome outcome = rondo(args);
  EXPECT_EQ(outcome.code, 1) << args;
  EXPECT_EQ(outcome.text, "rondo: " + message + "\n");
}

void expect_check(const std::string& args) {
  const Outcome run = rondo("run " + args + " --check");
  EXPECT_EQ(run.code, 0) << run.text;
  EXPECT_NE(run.text.find("largest difference"), std::string::npos) << run.text;
}

/// An LSTM of one unit.
std::string write_nam(const TempDir& dir) {
  testing::write_text(
      dir.file("amp.nam"),
      R"({"architecture": "LSTM", "config": {"input_size": 1, "hidden_size": 1, "num_layers": 1},
                          "weights": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.1, 0.2, 0.3, 0.4, 0.5, -0.5, 2, 0.25]})");
  return dir.file("amp.nam");
}

TEST(Import, RunsNam) {
  const TempDir dir;
  const std::string amp = write_nam(dir);
  expect_check(amp + " --dims T=5,B=2");
  expect_check(amp + " --dims B=1 --function step");
  Weights inputs;
  inputs.get("x", DType::f32, {3, 1, 1}).as<float>()[1] = 1;
  inputs.save(dir.file("in"));
  const Outcome run = rondo("run " + amp + " --inputs " + dir.file("in"));
  EXPECT_EQ(run.code, 0) << run.text;
  EXPECT_NE(run.text.find("\ny f32[3,1,1]: "), std::string::npos) << run.text;
  expect_error("run " + amp + " --function walk --dims B=1",
               "the model has no function `walk`; functions: step, run");
  expect_error("run " + amp + " --dims B=1 --set x=2",
               amp + ": values and state are told for ONNX models only");
}

TEST(Import, RunsJson) {
  const TempDir dir;
  testing::write_text(dir.file("m.json"),
                      R"({"in_shape": [null, 1], "layers": [{"type": "dense", "activation": "tanh",
                                             "shape": [null, 2], "weights": [[[1, 2]], [0.5, -1]]}]})");
  expect_check(dir.file("m.json") + " --dims T=5,B=2");
}

TEST(Import, CompilesNam) {
  const TempDir dir;
  const std::string amp = write_nam(dir);
  const Outcome made = rondo("compile " + amp + " --name amp --dims B=1 -o " + dir.file("lib"));
  EXPECT_EQ(made.code, 0) << made.text;
  EXPECT_NE(testing::read_text(dir.file("lib/amp.h"))
                .find("int32_t amp_step(void* state, void* scratch, const float* x, float* y);\n"),
            std::string::npos);
  expect_error("compile " + dir.file("none.nam") + " --name amp -o " + dir.file("new"),
               dir.file("none.nam") + ": cannot open: No such file or directory");
  EXPECT_FALSE(std::filesystem::exists(dir.file("new")));
}

#if RONDO_WITH_ONNX
/// y = tanh(scale x w + h), which is hN as well.
std::string write_onnx(const TempDir& dir) {
  ::onnx::ModelProto model = testing::empty_model();
  ::onnx::GraphProto& graph = *model.mutable_graph();
  testing::add_input(graph, "x", DType::f32, {"batch", "2"});
  testing::add_input(graph, "h", DType::f32, {"batch", "2"});
  testing::add_input(graph, "scale", DType::f32, {});
  testing::add_constant(graph, "w", {DType::f32, {2, 2}, {1, 2, 3, 4}});
  testing::add_node(graph, "MatMul", {"x", "w"}, {"xw"});
  testing::add_node(graph, "Mul", {"xw", "scale"}, {"scaled"});
  testing::add_node(graph, "Add", {"scaled", "h"}, {"sum"});
  testing::add_node(graph, "Tanh", {"sum"}, {"y"});
  testing::add_node(graph, "Identity", {"y"}, {"hN"});
  testing::add_output(graph, "y");
  testing::add_output(graph, "hN");
  testing::save(model, dir.file("m.onnx"));
  return dir.file("m.onnx");
}

TEST(Import, RunsOnnx) {
  const TempDir dir;
  const std::string model = write_onnx(dir);
  expect_check(model + " --set scale=0.5 --dims batch=3");
  expect_check(model + " --set scale=0.5 --dims batch=3 --state h=hN");
  Weights inputs;
  inputs.get("x", DType::f32, {1, 2}).as<float>()[0] = 1;
  inputs.save(dir.file("in"));
  const Outcome run = rondo("run " + model + " --set scale=0.5 --state h=hN --inputs " + dir.file("in"));
  EXPECT_NE(run.text.find("\ny f32[1,2]: 0.462117 0.761594\n"), std::string::npos) << run.text;
  expect_error("run " + model + " --set scale", "--set: `scale` is not NAME=NUMBER");
  expect_error("run " + model + " --set scale=x", "--set: `scale=x` is not NAME=NUMBER");
  expect_error("run " + model + " --set speed=1", model + ": no input `speed`; there are: x, h, scale");
  expect_error("run " + model + " --state h=z", model + ": no output `z`; there are: y, hN");
  expect_error("run " + model + " --dims B=1", model + ": no dim `B`; there are: batch");
}

TEST(Import, CompilesOnnxWithOtherWeights) {
  const TempDir dir;
  const std::string good = "compile " + write_onnx(dir) +
                           " --set scale=1 --state h=hN --dims batch=1 --name cell -o " + dir.file("lib");
  Weights weights;
  weights.get("w", DType::f32, {2, 2});
  weights.save(dir.file("weights"));
  for (const std::string& args : {good, good + " --weights " + dir.file("weights")}) {
    const Outcome made = rondo(args);
    EXPECT_EQ(made.code, 0) << made.text;
    EXPECT_NE(testing::read_text(dir.file("lib/cell.h"))
                  .find("int32_t cell_run(void* state, void* scratch, const float* x, float* y);\n"),
              std::string::npos);
  }
  Weights other;
  other.get("v", DType::f32, {2, 2});
  other.save(dir.file("other"));
  const Outcome refused = rondo(good + "2 --weights " + dir.file("other"));
  EXPECT_EQ(refused.code, 1);
  EXPECT_FALSE(std::filesystem::exists(dir.file("lib2")));
}
#endif

}  // namespace
}  // namespace rondo
