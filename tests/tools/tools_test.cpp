// Runs the command line as a user does, on sample files.
#include <string>

#include <gtest/gtest.h>

#include "runtime/weights.h"
#include "tests/runtime/util.h"
#include "tests/support/shell.h"

namespace rondo {
namespace {

using testing::Outcome;
using testing::TempDir;

Outcome rondo(const std::string& args, const std::string& before = "") {
  return testing::shell(before + "cd '" RONDO_SAMPLES "' && '" RONDO_TOOL "' " + args);
}

/// The text without its first line, which tells a time.
std::string after_first_line(const std::string& text) { return text.substr(text.find('\n') + 1); }

void expect_error(const std::string& args, const std::string& message) {
  const Outcome outcome = rondo(args);
  EXPECT_EQ(outcome.code, 1) << args;
  EXPECT_EQ(outcome.text, "rondo: " + message + "\n");
}

TEST(Opt, PrintsTheFunctionAfterThePasses) {
  const Outcome plain = rondo("opt unused.rondo");
  EXPECT_EQ(plain.code, 0);
  EXPECT_EQ(plain.text, testing::read_text(RONDO_SAMPLES "/unused.rondo"));
  const Outcome simplified = rondo("opt unused.rondo --passes=simplify");
  EXPECT_EQ(simplified.code, 0) << simplified.text;
  EXPECT_EQ(simplified.text.find("exp"), std::string::npos);
  EXPECT_NE(simplified.text.find("func @unused(%x: f32[2]) -> (f32[2])"), std::string::npos);
}

TEST(Opt, KnowsPipelinesByName) {
  const Outcome training = rondo("opt lstm.rondo --passes=training");
  EXPECT_EQ(training.code, 0) << training.text;
  EXPECT_NE(training.text.find("scan reverse"), std::string::npos);
}

TEST(Opt, ListsThePasses) {
  const Outcome list = rondo("opt --list");
  EXPECT_EQ(list.code, 0);
  for (const char* name : {"simplify", "grad", "hoist-scan"})
    EXPECT_NE(list.text.find(name), std::string::npos) << name;
}

TEST(Run, PrintsOutputsOfGivenInputs) {
  TempDir dir;
  Weights w;
  const auto table = w.get("table", DType::f32, {3, 2}).as<float>();
  for (size_t i = 0; i < 6; ++i) table[i] = static_cast<float>(i) / 4;
  const auto ids = w.get("ids", DType::i32, {5}).as<int32_t>();
  ids[0] = 2, ids[4] = 1;
  w.save(dir.file("in"));
  const Outcome run = rondo("run rows.rondo --inputs " + dir.file("in"));
  EXPECT_EQ(run.code, 0) << run.text;
  EXPECT_EQ(run.text.find("@rows: compiled in "), 0u);
  EXPECT_EQ(after_first_line(run.text), "y f32[5,2]: 1 1.25 0 0.25 0 0.25 0 0.25 ...\n");
  ids[3] = 3;
  w.save(dir.file("in"));
  expect_error("run rows.rondo --inputs " + dir.file("in"), "ids: 3 at [3] is outside [0,3)");
  w.save(dir.file("short"), {});
  expect_error("run lstm.rondo --inputs " + dir.file("in"), "no buffer wx; there are: ids, table");
}

TEST(Run, ChecksAgainstTheEvaluator) {
  for (const char* args :
       {"run lstm.rondo --dims T=5,B=2 --check", "run lstm.rondo --dims T=1,B=3 --random 7 --check",
        "run lstm.rondo --dims T=4,B=2 --passes=inference --check",
        "run lstm.rondo --dims T=4,B=2 --passes=training --check", "run rows.rondo --dims V=4,N=9 --check"}) {
    const Outcome run = rondo(args);
    EXPECT_EQ(run.code, 0) << run.text;
    EXPECT_NE(run.text.find("largest difference"), std::string::npos) << run.text;
  }
  EXPECT_EQ(rondo("run lstm.rondo --dims T=5,B=2 --check --tolerance nan").code, 1);
  const Outcome strict = rondo("run lstm.rondo --dims T=50,B=20 --check --tolerance 1e-20");
  EXPECT_EQ(strict.code, 1);
  EXPECT_NE(strict.text.find("rondo: further than 1e-20 from the evaluator: "), std::string::npos)
      << strict.text;
}

TEST(Run, TakesTheFilesOfTheTests) {
  for (const char* args :
       {"gru_reset_before.rondo --dims T=3,B=2", "softmax_cross_entropy.rondo --dims T=3,B=2",
        "generate.rondo --dims N=5", "lengths.rondo --dims T=7,B=3"}) {
    const Outcome run = rondo(std::string("run ../run/") + args + " --check");
    EXPECT_EQ(run.code, 0) << run.text;
  }
}

TEST(Run, TakesWhatAPipelineDumps) {
  TempDir dir;
  ASSERT_EQ(::setenv("RONDO_DUMP", dir.file("dump").c_str(), 1), 0);
  const Outcome made = rondo("run lstm.rondo --dims T=4,B=2 --passes=training");
  ::unsetenv("RONDO_DUMP");
  ASSERT_EQ(made.code, 0) << made.text;
  const Outcome gradient = rondo("opt " + dir.file("dump/lstm/00-input.rondo") + " --passes=training");
  testing::write_text(dir.file("gradient.rondo"), gradient.text);
  for (const std::string& file : {dir.file("dump/lstm/00-input.rondo"), dir.file("gradient.rondo")}) {
    const Outcome run = rondo("run " + file + " --dims T=4,B=2 --check");
    EXPECT_EQ(run.code, 0) << run.text;
  }
  EXPECT_FALSE(testing::read_text(dir.file("dump/lstm/20-loops.txt")).empty());
}

TEST(Run, SeedsDecideTheInputs) {
  const std::string args = "run lstm.rondo --dims T=2,B=1 --random ";
  const std::string one = after_first_line(rondo(args + "1").text);
  EXPECT_EQ(one, after_first_line(rondo(args + "1").text));
  EXPECT_NE(one, after_first_line(rondo(args + "2").text));
}

/// Weights that rnn.rondo names, with a first of the given shape.
std::string rnn_weights(const TempDir& dir, std::vector<int64_t> shape = {1, 4}, bool all = true) {
  Weights w;
  for (float& v : w.get("wx", DType::f32, shape).as<float>()) v = 0.5f;
  if (all)
    for (float& v : w.get("wh", DType::f32, {4, 4}).as<float>()) v = -0.25f;
  w.save(dir.file("weights"));
  return " --weights " + dir.file("weights");
}

TEST(Compile, MakesALibrary) {
  TempDir dir;
  const std::string weights = rnn_weights(dir);
  const Outcome made = rondo("compile rnn.rondo --name rnn --dims B=1 -o " + dir.file("lib") + weights);
  EXPECT_EQ(made.code, 0) << made.text;
  for (const char* part :
       {"librnn.a\n", "rnn.h\n", "rnn.hpp\n", "rnn_selftest.c\n", "step: scratch ", "code "})
    EXPECT_NE(made.text.find(part), std::string::npos) << made.text;
  const std::string header = testing::read_text(dir.file("lib/rnn.h"));
  for (const char* line :
       {"int32_t rnn_step(void* state, void* scratch, const float* x, float* y);\n",
        "int32_t rnn_run(void* state, void* scratch, int64_t T, const float* x, float* hs);\n",
        "#define RNN_STATE_BYTES 64 "})
    EXPECT_NE(header.find(line), std::string::npos) << header;
}

TEST(Compile, TakesSomeFunctionsAndLeavesWeightsToTheCaller) {
  TempDir dir;
  const Outcome made = rondo(
      "compile rnn.rondo --name rnn --functions run --target aarch64,x86-64-v2,x86-64-v3 "
      "--weights-in pointer --prefix r --emit ir,assembly --no-selftest -o " +
      dir.file("lib"));
  EXPECT_EQ(made.code, 0) << made.text;
  const std::string header = testing::read_text(dir.file("lib/rnn.h"));
  EXPECT_NE(
      header.find("int32_t r_run(const void* prepared, void* state, void* scratch, int64_t T, int64_t B, "
                  "const float* x, float* hs);\n"),
      std::string::npos)
      << header;
  EXPECT_EQ(header.find("r_step"), std::string::npos);
  for (const char* file :
       {"aarch64/librnn.a", "x86-64/librnn.a", "stages/rnn-run.rondo", "aarch64/stages/rnn-32.s"})
    EXPECT_FALSE(testing::read_text(dir.file(std::string("lib/") + file)).empty()) << file;
}

TEST(Compile, SaysWhatIsWrongAndLeavesNothing) {
  TempDir dir;
  const std::string to = " -o " + dir.file("lib"), good = "compile rnn.rondo --name rnn" + to;
  expect_error(good + rnn_weights(dir) + " --functions step,walk", "no function walk; there are: step, run");
  expect_error(good + rnn_weights(dir) + " --weights-in heaven",
               "weights in `heaven`: library, pointer or array");
  expect_error(good + rnn_weights(dir) + " --dims B", "--dims: `B` is not NAME=NUMBER");
  expect_error(good + rnn_weights(dir) + " --dims B=1,B=2", "--dims: B twice");
  expect_error("compile rnn.rondo --name rnn -o ''" + rnn_weights(dir),
               "the folder for the library has no name");
  expect_error(
      good + " --target x86-64-v3,warp",
      "unknown target `warp`: a triple[:cpu[:features]], or one of host, "
      "x86-64, x86-64-v2, x86-64-v3, x86-64-v4, aarch64, armv7, riscv64, riscv64v, wasm32, thumbv7em");
  expect_error("compile rnn.rondo --name no-name" + to,
               "`no-name` is not a name in C, which the library's functions need");
  expect_error(good + rnn_weights(dir, {1, 5}), "parameter `wx` is f32[1,4], and f32[1,5] in the weights");
  expect_error(good + rnn_weights(dir, {1, 4}, false),
               "parameter `wh`, f32[4,4], is not in the weights; there are: wx");
  expect_error(good + " --weights nowhere", "nowhere: cannot open: No such file or directory");
  expect_error("compile nowhere.rondo --name rnn" + to,
               "nowhere.rondo: cannot open: No such file or directory");
  testing::write_text(dir.file("noted.rondo"),
                      "// state h = g\n" + testing::read_text(RONDO_SAMPLES "/unused.rondo"));
  expect_error("compile " + dir.file("noted.rondo") + " --name rnn" + to,
               dir.file("noted.rondo") + ":1: state: @unused has no input h");
  EXPECT_FALSE(std::filesystem::exists(dir.file("lib")));
  expect_error("compile rnn.rondo --name rnn -o " + dir.file("weights") + "/lib" + rnn_weights(dir),
               dir.file("weights") + "/lib: Not a directory");
  EXPECT_EQ(rondo("compile rnn.rondo").code, 2);
}

TEST(Compile, LeavesNothingWhereTheDiskIsFull) {
  TempDir dir;
  std::filesystem::create_directory(dir.file("there"));
  const std::string compile = "compile rnn.rondo --name rnn" + rnn_weights(dir) + " -o ";
  for (const char* folder : {"new/lib", "there"}) {
    const Outcome outcome = rondo(compile + dir.file(folder), "ulimit -f 4; ");
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.text, "rondo: " + dir.file(folder) + "/librnn.a: cannot write: File too large\n");
  }
  EXPECT_FALSE(std::filesystem::exists(dir.file("new")));
  EXPECT_TRUE(std::filesystem::is_empty(dir.file("there")));
}

TEST(Errors, AreOneLineEach) {
  expect_error("opt nowhere.rondo", "nowhere.rondo: cannot open: No such file or directory");
  const Outcome broken = rondo("opt broken.rondo");
  EXPECT_EQ(broken.code, 1);
  EXPECT_EQ(broken.text.find("rondo: broken.rondo:2:8: "), 0u) << broken.text;
  EXPECT_NE(broken.text.find("matmull"), std::string::npos) << broken.text;
  EXPECT_EQ(broken.text.find('\n'), broken.text.size() - 1);
  expect_error("run lstm.rondo", "dim B is not known: give --dims B=NUMBER");
  expect_error("run lstm.rondo --dims T=5,B", "--dims: `B` is not NAME=NUMBER");
  expect_error("run lstm.rondo --dims T=-5", "--dims: `T=-5` is not NAME=NUMBER");
  expect_error("run lstm.rondo --dims T=5,B=2,C=1", "--dims: no dim C");
}

TEST(Errors, WrongUsageHasACodeOfItsOwn) {
  EXPECT_EQ(rondo("").code, 2);
  const Outcome command = rondo("walk"), file = rondo("opt");
  EXPECT_EQ(command.code, 2);
  EXPECT_EQ(command.text, "rondo: no command `walk`; --help lists those there are\n");
  EXPECT_EQ(file.code, 2);
  EXPECT_EQ(file.text, "rondo: file is required; --help tells more\n");
  EXPECT_EQ(rondo("run lstm.rondo --inputs a --random 1").code, 2);
  EXPECT_EQ(rondo("--help").code, 0);
}

}  // namespace
}  // namespace rondo
