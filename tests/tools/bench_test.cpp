// `rondo bench` as a user runs it. What it times is its own affair; what it computes is not.
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/shell.h"

namespace rondo {
namespace {

testing::Outcome bench(const std::string& args) { return testing::shell("'" RONDO_TOOL "' bench " + args); }

nlohmann::json fields(const std::string& args) {
  const testing::Outcome outcome = bench(args + " --repeats 1 --json");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  return nlohmann::json::parse(outcome.text);
}

const char* const kSizes = " --layers 2 --input 3 --hidden 10 --batch 2 --steps 4";

TEST(Bench, GivesTheFieldsOfEachMode) {
  for (const char* mode : {"stream", "infer", "train"}) {
    const nlohmann::json f = fields(std::string("--mode ") + mode + kSizes);
    EXPECT_EQ(f.size(), 9u) << f.dump();
    for (const char* name : {"time_us", "time_us_min", "gflops", "fma_peak_gflops", "read_gbs",
                             "fraction_of_limit", "compile_ms"})
      EXPECT_GT(f.value(name, 0.0), 0) << mode << " " << name;
    EXPECT_LE(f["time_us_min"], f["time_us"]);
    EXPECT_TRUE(f.contains("checksum"));
  }
}

TEST(Bench, EachCellAgreesWithTheEvaluator) {
  for (const char* cell : {"lstm", "gru", "rnn", "own-lstm", "own-gru", "own-rnn", "peephole-lstm",
                           "layer-norm-lstm", "mingru", "sru"})
    for (const char* mode : {"stream", "train"}) {
      const nlohmann::json f =
          fields(std::string("--cell ") + cell + " --mode " + mode + " --hidden 10 --batch 2 --steps 4");
      EXPECT_LT(f.value("max_abs_diff_vs_evaluator", 1.0), 1e-4) << cell << " " << mode;
      EXPECT_NE(f.value("checksum", 0.0), 0) << cell << " " << mode;
    }
}

TEST(Bench, ChecksumsAreOfTheModelNotOfTheRun) {
  const std::string args = std::string("--mode train") + kSizes;
  EXPECT_EQ(fields(args)["checksum"], fields(args)["checksum"]);
  EXPECT_NE(fields(args)["checksum"], fields(args + " --cell gru")["checksum"]);
}

TEST(Bench, ChecksumsAreOneForAnyThreads) {
  const std::string args = "--mode train --input 3 --hidden 64 --batch 16 --steps 8";
  EXPECT_EQ(fields(args)["checksum"], fields(args + " --threads 3")["checksum"]);
}

#if defined(__x86_64__)
TEST(Bench, ALevelOfTheCpuComputesTheSame) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) GTEST_SKIP() << "no AVX2 here";
  const std::string args = "--mode train --input 3 --hidden 20 --batch 2 --steps 4";
  EXPECT_EQ(fields(args)["checksum"], fields(args + " --cpu x86-64-v3")["checksum"]);
  const testing::Outcome unknown = bench("--cpu x86-64-v9");
  EXPECT_NE(unknown.code, 0);
  EXPECT_NE(unknown.text.find("x86-64-v9"), std::string::npos) << unknown.text;
}
#endif

TEST(Bench, TrainsALanguageModel) {
  for (const char* optimizer : {"adam", "sgd"}) {
    const nlohmann::json f =
        fields(std::string("--mode train --vocabulary 20 --optimizer ") + optimizer + kSizes);
    EXPECT_LT(f.value("max_abs_diff_vs_evaluator", 1.0), 1e-4) << optimizer;
  }
}

/// The 4,096 columns of the gates are computed for windows of steps.
TEST(Bench, CountsWhatRunsInWindows) {
  const nlohmann::json f = fields("--mode infer --hidden 1024 --batch 1 --steps 3");
  EXPECT_GT(f.at("fraction_of_limit"), 0.0);
}

TEST(Bench, ExplainsWhereTheTimeGoes) {
  for (const char* mode : {"stream", "infer", "train"}) {
    const testing::Outcome outcome =
        bench(std::string("--explain --seconds 0.1 --json --hidden 64 --batch 4 --steps 5 --mode ") + mode);
    ASSERT_EQ(outcome.code, 0) << outcome.text;
    const nlohmann::json f = nlohmann::json::parse(outcome.text);
    double time = f["elsewhere_us"], products = 0;
    for (const nlohmann::json& kernel : f["kernels"]) {
      time += kernel["time_us"].get<double>();
      products += kernel["products_us"].get<double>();
      EXPECT_GT(kernel["least_us"], 0.0) << kernel.dump();
    }
    EXPECT_NEAR(time / f["time_us"].get<double>(), 1, 1e-6);
    const double steps = std::string(mode) == "stream" ? 1 : 5, times = std::string(mode) == "train" ? 3 : 1;
    const double flops = times * steps * 2 * 4 * 4 * 64 * 128;
    // A training step has the sum that is its loss, too.
    EXPECT_NEAR(products * f["fma_peak_gflops"].get<double>() * 1e3, flops, 0.01 * flops) << mode;
  }
}

TEST(Bench, ExplainsOneThreadOnly) {
  const testing::Outcome outcome = bench("--explain --threads 2");
  EXPECT_NE(outcome.code, 0);
  EXPECT_NE(outcome.text.find("--explain is of one thread"), std::string::npos) << outcome.text;
}

TEST(Bench, CountsMemory) {
  const nlohmann::json f = fields("--mode train --input 3 --hidden 8 --batch 2 --steps 5 --memory");
  const double weights = 4 * (3 * 32 + 8 * 32 + 32);
  EXPECT_EQ(f["weights_bytes"], weights);
  EXPECT_EQ(f["gradients_bytes"], weights);
  EXPECT_EQ(f["optimizer_bytes"], 2 * weights + 8);  // two moments, and two powers that Adam keeps once
  EXPECT_EQ(f["stash_bytes"], 7.0 * 5 * 2 * 8 * 4);  // the gates, h, c and tanh c of each step
  EXPECT_EQ(f["arguments_bytes"], 4.0 * (5 * 2 * (3 + 8) + 2));  // x, dy, loss, lr
  const nlohmann::json infer = fields("--mode infer --input 3 --hidden 8 --memory");
  EXPECT_EQ(infer["optimizer_bytes"], 0.0);
  EXPECT_GT(infer["whole_bytes"], weights);
}

TEST(Bench, SaysWhatIsWrongInOneLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"--cell lstn",
       "no cell lstn; there are: lstm, gru, rnn, own-lstm, own-gru, own-rnn, peephole-lstm, "
       "layer-norm-lstm, mingru, sru"},
      {"--mode fly", "no mode fly; there are: stream, infer, train"},
      {"--hidden 0", "--hidden 0: a size is at least 1"},
      {"--input -2", "--input -2: a size is at least 1"},
      {"--steps -3", "--steps -3: a size is at least 1"},
      {"--vocabulary -1", "--vocabulary -1: a size, or 0 for none"},
      {"--optimizer lion", "no optimizer lion; there are: adam, sgd"},
      {"--threads 0", "--threads 0: not in [1,256]"},
      {"--repeats 0", "--repeats 0: at least 1"},
  };
  for (const auto& [args, message] : cases) {
    const testing::Outcome outcome = bench(args);
    EXPECT_EQ(outcome.code, 1) << args;
    EXPECT_EQ(outcome.text, std::string("rondo: bench: ") + message + "\n");
  }
  EXPECT_EQ(bench("--hidden many").code, 2);
}

}  // namespace
}  // namespace rondo
