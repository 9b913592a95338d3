// Each tests/golden/*.rondo: a pipeline, a function, and the text that the pipeline makes of it.
// RONDO_UPDATE_GOLDEN=1 rewrites them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ir/arrays.h"
#include "ir/text.h"
#include "passes/pipeline.h"

namespace rondo {
namespace {

constexpr std::string_view kPipeline = "// pipeline: ", kDivider = "\n// becomes\n";

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> golden_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(RONDO_SOURCE_DIR "/tests/golden"))
    if (entry.path().extension() == ".rondo") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class Golden : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(Golden, Text) {
  const std::string text = read(GetParam());
  const size_t line_end = text.find('\n'), divider = text.find(kDivider);
  ASSERT_TRUE(text.starts_with(kPipeline) && divider != std::string::npos) << GetParam();
  const std::string pipeline = text.substr(kPipeline.size(), line_end - kPipeline.size());
  const std::string input = text.substr(0, divider);
  const ir::Func before = ir::parse(input, GetParam().filename().string());
  const ir::Func after = passes::run_pipeline(before, pipeline);
  const std::string printed = ir::print(after);

  const char* update = std::getenv("RONDO_UPDATE_GOLDEN");
  if (update && std::string_view(update) == "1") {
    std::ofstream(GetParam()) << input << kDivider << printed;
  } else {
    EXPECT_EQ(printed, text.substr(divider + kDivider.size()));
  }
  EXPECT_EQ(ir::print(ir::parse(printed)), printed);

  // Both compute the same; a pipeline may append params and results.
  const ir::DimValues dims{{"T", 3}, {"B", 2}, {"N", 4}};
  auto inputs = ir::random_inputs(after, dims, 11);
  auto have = ir::evaluate(after, inputs, dims);
  inputs.resize(before.params.size());
  const auto want = ir::evaluate(before, inputs, dims);
  ASSERT_GE(have.size(), want.size());
  have.resize(want.size());
  EXPECT_LT(ir::difference(have, want), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, ::testing::ValuesIn(golden_files()), [](const auto& file) {
  std::string name = file.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace rondo
