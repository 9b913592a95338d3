// Libraries from end to end: exported, built with a C compiler, run.
#include <gtest/gtest.h>

#include <limits>
#include <regex>
#include <set>

#include "codegen/target.h"
#include "frontend/function_text.h"
#include "tests/aot/amp_model.h"

namespace rondo {
namespace {

using testing::read_text;
using testing::TempDir;
using namespace test;

/// Reads and writes characters.
struct Speaker : CellModel<Gru> {
  Speaker() : CellModel(f32, 11, [](Model& m) { return Gru(m, "gru", 11, 12); }) {}
};

std::string exact(const std::string& prefix) {
  return codegen::target_for().fma ? "-D" + prefix + "_SELFTEST_EXACT" : "";
}

TEST(Library, PassesItsSelfTestWithTheBitsOfTheJit) {
  TempDir dir;
  Amp amp;
  std::vector<Function> functions = streaming(amp);
  functions.push_back(training(amp));
  for (const char* batch : {"one", "any"}) {
    LibraryOptions options = options_for(dir, "amp");
    if (batch == std::string("any")) options.dims.clear();
    export_library(functions, amp.init(1), options);
    EXPECT_EQ(run_selftest(dir, "amp", exact("AMP")), "") << batch;
  }
}

TEST(Library, TestsNumbersThatAreNotFinite) {
  TempDir dir;
  Amp amp;
  Weights weights = amp.init(1);
  for (const float bias : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    weights.at("head.b").as<float>()[0] = bias;
    export_library(streaming(amp), weights, options_for(dir, "amp"));
    EXPECT_EQ(run_selftest(dir, "amp", exact("AMP")), "");
    EXPECT_EQ(run_selftest(dir, "amp"), "");
  }
}

TEST(Library, WritesTexts) {
  TempDir dir;
  Speaker speaker;
  export_library({step_function(speaker, {}), generate_function(speaker)}, speaker.init(2),
                 options_for(dir, "speaker"));
  EXPECT_EQ(run_selftest(dir, "speaker", exact("SPEAKER")), "");
}

TEST(Library, ExpectsNothingAndExportsItsEntriesOnly) {
  Amp amp;
  for (const bool levels : {false, true}) {
    TempDir dir;
    LibraryOptions options = options_for(dir, "amp");
    if (levels)
      options.targets = {"x86-64-v2", "x86-64-v3", "x86-64-v4"}, options.weights = WeightsIn::pointer;
    export_library(streaming(amp), amp.init(1), options);
    EXPECT_EQ(shell(dir, "nm -u libamp.a > undefined && ! grep U undefined"), "");
    EXPECT_EQ(shell(dir, "nm -g --defined-only libamp.a | awk 'NF == 3 {print $3}' | sort > names"), "");
    EXPECT_EQ(read_text(dir.file("names")),
              std::string("amp_model_hash\n") + (levels ? "amp_prepare\n" : "") +
                  "amp_reset\namp_restore\namp_run\namp_save\namp_step\namp_version\n");
  }
}

TEST(Library, IsSmall) {
  TempDir dir;
  Amp amp;
  const LibraryReport report =
      export_library(streaming(amp), amp.init(1), options_for(dir, "amp", {"x86-64-v3"}));
  EXPECT_LT(report.code_bytes, 20'000);
}

/// Larger than what the row form takes, with columns that fill no vector, and a matrix that is read across.
struct Wide : Model {
  Lstm lstm{*this, "lstm", 70, 100};
  Param out = param("out", {50, 100});

  Lstm::State initial(const Dim& batch) const { return lstm.initial(batch); }
  std::pair<Lstm::State, Tensor> step(Lstm::State s, Tensor x) const {
    s = lstm(s, x);
    return {s, matmul(s.h, transpose(out))};
  }
};

int64_t constant_scratch(const LibraryReport& report, size_t entry) {
  return std::stoll(report.entries.at(entry).scratch);
}

TEST(Library, HasItsWeightsPacked) {
  TempDir dir;
  Wide wide;
  const StepInput input{f32, {70}};
  const std::vector<Function> functions = {step_function(wide, input), run_function(wide, input)};
  const int64_t recurrent = 100 * 4 * 100 * 4;  // bytes
  for (const int64_t batch : {1, 16})
    for (const WeightsIn in : {WeightsIn::library, WeightsIn::pointer}) {
      LibraryOptions options = options_for(dir, "wide");
      options.dims["B"] = batch;
      options.block = 1;  // so that scratch holds little else
      options.weights = in;
      for (const std::vector<std::string>& targets :
           {std::vector<std::string>{"host"}, {"x86-64-v2", "x86-64-v3"}}) {
        options.targets = targets;
        const LibraryReport report = export_library(functions, wide.init(1), options);
        EXPECT_LT(constant_scratch(report, 1), recurrent);
        EXPECT_EQ(report.prepared_bytes > recurrent, in == WeightsIn::pointer);
        EXPECT_EQ(run_selftest(dir, "wide", targets.size() == 1 ? exact("WIDE") : "",
                               in == WeightsIn::pointer ? "wide_weights.bin" : ""),
                  "");
      }
    }
}

/// Step and run share what they read of the weights, packed or not: little more than the weights.
TEST(Library, PreparesEachWeightOnce) {
  TempDir dir;
  Wide wide;
  const StepInput input{f32, {70}};
  LibraryOptions options = options_for(dir, "wide");
  options.weights = WeightsIn::pointer;
  auto prepared_for = [&](const std::vector<Function>& functions) {
    return export_library(functions, wide.init(1), options).prepared_bytes;
  };
  const int64_t step = prepared_for({step_function(wide, input)});
  Function same = step_function(wide, input);
  same.func.name = "again";
  EXPECT_EQ(prepared_for({step_function(wide, input), same}), step);
}

TEST(Library, SharesPackedWeightsAmongLevels) {
  TempDir dir;
  Wide wide;
  auto data_bytes = [&](std::vector<std::string> targets) {
    LibraryOptions options = options_for(dir, "wide", std::move(targets));
    return export_library({step_function(wide, {f32, {70}})}, wide.init(1), options).data_bytes;
  };
  EXPECT_LT(data_bytes({"x86-64-v3", "x86-64-v4"}), 1.1 * static_cast<double>(data_bytes({"x86-64-v3"})));
}

TEST(Library, RunsInMemoryThatDoesNotGrowWithTheSteps) {
  TempDir dir;
  Amp amp;
  LibraryOptions options = options_for(dir, "amp");
  int64_t before = std::numeric_limits<int64_t>::max();
  for (const int64_t block : {64, 2}) {
    options.block = block;
    const LibraryReport report = export_library(streaming(amp), amp.init(1), options);
    EXPECT_EQ(report.entries.at(1).scratch.find('T'), std::string::npos) << report.entries[1].scratch;
    EXPECT_LT(constant_scratch(report, 1), before);
    before = constant_scratch(report, 1);
    EXPECT_EQ(run_selftest(dir, "amp", exact("AMP")), "");
  }
}

TEST(Library, TrainsSmallModelsInLittleMemoryOfAConstantSize) {
  TempDir dir;
  Amp amp;
  LibraryOptions options = options_for(dir, "amp", {"x86-64-v2", "x86-64-v3", "x86-64-v4"});
  options.dims.clear();
  EXPECT_LT(constant_scratch(export_library({training(amp)}, amp.init(1), options), 0), 100'000);
}

TEST(Library, KeepsItsPromises) {
  TempDir dir;
  Amp amp;
  export_library(streaming(amp), amp.init(1), options_for(dir, "amp"));
  export_library(streaming(amp), amp.init(2), options_for(dir, "other"));
  const std::string source =
      std::string(RONDO_SAMPLES) + "/driver.c libamp.a libother.a -I. -pthread -o driver";
  EXPECT_EQ(shell(dir, kC11 + source + " && ./driver"), "");
  for (const char* sanitizer : {"address,undefined", "thread"})
    EXPECT_EQ(shell(dir, kC11 + "-DAMP_SANITIZED -fsanitize=" + sanitizer + " " + source + " && ./driver"),
              "");
}

TEST(Library, HasAWrapperForCpp) {
  TempDir dir;
  Amp amp;
  export_library(streaming(amp), amp.init(1), options_for(dir, "amp"));
  export_library({training(amp)}, amp.init(1), options_for(dir, "learner"));
  LibraryOptions bare = options_for(dir, "bare");
  bare.weights = WeightsIn::pointer;
  export_library(streaming(amp), {}, bare);
  EXPECT_EQ(shell(dir, kCxx + "-fno-exceptions " + RONDO_SAMPLES +
                           "/wrapper.cpp libamp.a libbare.a liblearner.a -I. -o wrapper && ./wrapper"),
            "");
}

TEST(Library, HasHeadersThatStrictCompilersTake) {
  TempDir dir;
  Amp amp;
  LibraryOptions options = options_for(dir, "amp");
  options.dims.clear();
  options.weights = WeightsIn::array;
  std::vector<Function> functions = streaming(amp);
  functions.push_back(training(amp));
  export_library(functions, amp.init(1), options);
  testing::write_text(dir.file("use.c"), R"(
#include "amp_weights.h"
int main(void) { return amp_model_hash() != AMP_MODEL_HASH || AMP_RUN_SCRATCH_BYTES(2) == 0 || amp_weights[0] == 1; }
)");
  testing::write_text(dir.file("wrap.cpp"), R"(
#include "amp.hpp"
int main() { return amp::Prepared(nullptr) ? 1 : 0; }
)");
  const std::string strict =
      " -pedantic -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wundef -Werror ";
  for (const char* standard : {"c99", "c11"})
    EXPECT_EQ(shell(dir, std::string("'" RONDO_CC "' -std=") + standard + strict +
                             "use.c libamp.a -o use && ./use"),
              "");
  for (const char* standard : {"c++11", "c++17", "c++20"})
    EXPECT_EQ(shell(dir, std::string("'" RONDO_CXX "' -std=") + standard + strict +
                             "-x c++ use.c -x none libamp.a -o use && ./use"),
              "");
  EXPECT_EQ(shell(dir, std::string("'" RONDO_CXX "' -std=c++20 -fno-exceptions") + strict +
                           "wrap.cpp libamp.a -o wrap && ./wrap"),
            "");
}

/// The places that links of a page lead to, and the places there are.
void expect_whole(const std::string& page) {
  std::multiset<std::string> ids;
  const std::regex id(" id=\"([^\"]+)\""), link(" href=\"#([^\"]+)\"");
  for (std::sregex_iterator it(page.begin(), page.end(), id), end; it != end; ++it) ids.insert((*it)[1]);
  for (std::sregex_iterator it(page.begin(), page.end(), link), end; it != end; ++it)
    EXPECT_EQ(ids.count((*it)[1]), 1u) << (*it)[1];
}

TEST(Library, HasAPageThatLeadsFromOpsToMachineCode) {
  TempDir dir;
  Amp amp;
  LibraryOptions options = options_for(dir, "amp", {"x86-64-v2", "x86-64-v3"});
  options.emit = {"html"};
  export_library(streaming(amp), amp.init(1), options);
  const std::string page = read_text(dir.file("stages/amp.html"));
  expect_whole(page);
  const size_t run = page.find("<section id=\"run\">");
  ASSERT_NE(run, page.npos);
  size_t at = run;
  for (const char* part : {"<summary>as declared</summary>", "<summary>hoist-scan</summary>",
                           "<summary>loops: x86-64-v2, x86-64-v3</summary>", "kernel <a ",
                           "<summary>assembly: x86-64-v2</summary>", "callq\t<a ",
                           "<summary>assembly: x86-64-v3</summary>", "callq\t<a "}) {
    at = page.find(part, at);
    ASSERT_NE(at, page.npos) << part;
  }
}

TEST(Library, TakesWeightsFromTheCaller) {
  Amp amp;
  for (WeightsIn in : {WeightsIn::pointer, WeightsIn::array})
    for (bool trains : {false, true}) {
      TempDir dir;
      LibraryOptions options = options_for(dir, "amp");
      options.weights = in;
      options.prefix = "fx";
      std::vector<Function> functions = streaming(amp);
      if (trains) functions.push_back(training(amp));
      export_library(functions, amp.init(1), options);
      EXPECT_EQ(run_selftest(dir, "amp", exact("FX"), in == WeightsIn::pointer ? "amp_weights.bin" : ""), "");
    }
}

TEST(Library, ChoosesAmongLevelsOfX86) {
  TempDir dir;
  Amp amp;
  export_library(streaming(amp), amp.init(1),
                 options_for(dir, "amp", {"x86-64-v4", "x86-64-v2", "x86-64-v3"}));
#ifdef __x86_64__
  EXPECT_EQ(run_selftest(dir, "amp", exact("AMP")), "");
#endif
  EXPECT_EQ(shell(dir, "nm -u libamp.a > undefined && ! grep U undefined"), "");
}

TEST(FunctionText, KeepsAllThatALibraryIsMadeOf) {
  Amp amp;
  std::vector<Function> functions = streaming(amp);
  functions.push_back(training(amp));
  const std::string text = print_functions(functions);
  const std::vector<Function> read = parse_functions(text);
  EXPECT_EQ(print_functions(read), text);
  TempDir dir;
  LibraryOptions options = options_for(dir, "amp");
  options.selftest = false;
  export_library(functions, amp.init(1), options);
  const std::string header = read_text(dir.file("amp.h"));
  export_library(read, amp.init(1), options);
  EXPECT_EQ(read_text(dir.file("amp.h")), header);
}

}  // namespace
}  // namespace rondo
