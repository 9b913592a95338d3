// Every tests/run/*.rondo: evaluator == loop interpreter == compiled code, for each `// dims` line at its
// top.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "codegen/compile.h"
#include "codegen/loops/interpreter.h"
#include "ir/evaluator.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "passes/passes.h"
#include "tests/support/arrays.h"
#include "tests/support/execute.h"

namespace rondo {
namespace {

using namespace ir;

struct Case {
  std::string name, text;
  std::vector<DimValues> dims;
};

/// The comment "// dims T=3 B=2" binds the named dims of one run.
Case read_case(const std::filesystem::path& path) {
  Case c;
  c.name = path.stem().string();
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    c.text += line + "\n";
    if (!line.starts_with("// dims")) continue;
    std::istringstream words(line.substr(7));
    DimValues values;
    for (std::string word; words >> word;) {
      size_t equal = word.find('=');
      values[word.substr(0, equal)] = std::stoll(word.substr(equal + 1));
    }
    c.dims.push_back(values);
  }
  return c;
}

std::vector<std::string> case_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(RONDO_RUN_CASES))
    if (entry.path().extension() == ".rondo") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

class Run : public ::testing::TestWithParam<std::string> {};

TEST_P(Run, EvaluatedInterpretedAndCompiledAgree) {
  Case c = read_case(GetParam());
  Func func = parse(c.text, c.name);
  ASSERT_TRUE(verify(func).empty());
  ASSERT_FALSE(c.dims.empty()) << "no `// dims` line";
  const Func masked = passes::mask_lengths(func);  // lowering takes no lengths
  std::shared_ptr<const Executable> compiled = codegen::compile(masked);
  LoopProgram program = codegen::lower(masked);
  for (const DimValues& dims : c.dims) {
    std::vector<Array> inputs = test::random_inputs(func, dims, 7, ids_in_range(func, dims));
    std::vector<Array> want = evaluate(func, inputs, dims);
    std::vector<Array> interpreted = codegen::interpret(program, inputs, test::shapes_of(want), dims);
    EXPECT_LE(test::difference(interpreted, want), 1e-12);
    std::vector<Array> got = test::execute(*compiled, inputs, test::shapes_of(want), dims);
    EXPECT_LE(test::difference(got, want), test::tolerance(func));
  }
}

std::string case_name(const ::testing::TestParamInfo<std::string>& info) {
  return std::filesystem::path(info.param).stem().string();
}

INSTANTIATE_TEST_SUITE_P(Files, Run, ::testing::ValuesIn(case_files()), case_name);

}  // namespace
}  // namespace rondo
