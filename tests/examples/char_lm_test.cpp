// The character language model from its command line.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <sys/wait.h>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class CharLm : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() /
           fmt::format("rondo_{}", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    std::ofstream text(dir_ / "text.txt");
    for (int i = 0; i < 400; ++i) text << "line " << i * i % 97 << " of the text\n";
  }
  void TearDown() override { fs::remove_all(dir_); }

  struct Outcome {
    int status;
    std::string output;  // both streams
  };
  /// Runs char_lm, behind `before`, on the text with a small model.
  Outcome run(const std::string& options, const std::string& before = "",
              const std::string& text = "text.txt") {
    const std::string command =
        fmt::format("cd {} && timeout 60 {} {} --text {} --layers 2 --hidden 12 --batch 4 --steps 8 {} 2>&1",
                    dir_.string(), before, CHAR_LM, text, options);
    std::FILE* pipe = popen(command.c_str(), "r");
    std::string output;
    for (int c; (c = std::fgetc(pipe)) != EOF;) output += static_cast<char>(c);
    return {WEXITSTATUS(pclose(pipe)), output};
  }

  fs::path dir_;
};

TEST_F(CharLm, DumpsEachFunctionApart) {
  EXPECT_EQ(run("--epochs 1 --sample 10 --out out", "env RONDO_DUMP=dump").status, 0);
  for (const char* function : {"loss", "loss.training", "generate"})
    for (const char* file : {"00-input.rondo", "20-loops.txt", "30.ll", "31-opt.ll", "32.s"})
      EXPECT_GT(contents(dir_ / "dump" / function / file).size(), 0) << function << " " << file;
  EXPECT_NE(contents(dir_ / "dump/loss.forward/00-input.rondo"), "");
  std::vector<std::string> strays;
  for (const auto& entry : fs::directory_iterator(dir_ / "dump"))
    if (!entry.is_directory()) strays.push_back(entry.path().filename());
  EXPECT_EQ(strays, std::vector<std::string>{});
}

TEST_F(CharLm, AResumedRunGivesTheSameBits) {
  for (const char* cell : {"lstm", "gru", "rnn"}) {
    const std::string options = fmt::format("--protocol char-rnn --cell {} --sample 0", cell);
    EXPECT_EQ(run(options + " --epochs 3 --out whole").status, 0);
    EXPECT_EQ(run(options + " --epochs 1 --out parts").status, 0);
    EXPECT_NE(contents(dir_ / "whole/weights.safetensors"), contents(dir_ / "parts/weights.safetensors"));
    EXPECT_EQ(run(options + " --epochs 3 --out parts --resume").status, 0);
    EXPECT_EQ(contents(dir_ / "whole/weights.safetensors"), contents(dir_ / "parts/weights.safetensors"));
    EXPECT_EQ(contents(dir_ / "whole/checkpoint.safetensors"),
              contents(dir_ / "parts/checkpoint.safetensors"));
  }
}

TEST_F(CharLm, StopsWithACheckpointAndGoesOn) {
  const Outcome stopped = run("--epochs 1000000", "timeout -s INT 2");
  EXPECT_NE(stopped.output.find("--resume goes on"), std::string::npos) << stopped.output;
  EXPECT_TRUE(fs::exists(dir_ / "out/checkpoint.safetensors"));
  const Outcome resumed = run("--resume --epochs 0 --sample 40");
  EXPECT_EQ(resumed.status, 0) << resumed.output;
}

TEST_F(CharLm, LearnsByTheClockLogsAndWrites) {
  const Outcome outcome = run("--minutes 0.05 --sample 100 --prime line --temperature 0.5");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("held-out loss"), std::string::npos) << outcome.output;
  EXPECT_NE(contents(dir_ / "out/log.txt").find("held-out loss"), std::string::npos);
  const size_t written = outcome.output.find("\n\nline");
  ASSERT_NE(written, std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.size() - written, 2 + 4 + 100 + 1u);
}

TEST_F(CharLm, SaysWhatIsWrong) {
  auto expect = [&](const Outcome& outcome, const std::string& message) {
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(outcome.output.find(message), std::string::npos) << outcome.output;
  };
  std::ofstream(dir_ / "empty.txt");
  std::ofstream(dir_ / "short.txt") << "short";
  std::ofstream(dir_ / "binary.txt") << std::string("a\0b", 3);
  expect(run("", "", "none.txt"), "char_lm: none.txt: cannot open");
  expect(run("", "", "empty.txt"), "empty");
  expect(run("", "", "binary.txt"), "byte 1 is zero");
  expect(run("", "", "short.txt"), "shorter than one window of 4 rows x 8 steps");
  expect(run("--resume --out nowhere"), "nowhere/checkpoint.safetensors");
  EXPECT_EQ(run("--epochs 1 --sample 0").status, 0);
  expect(run("--resume --cell gru"), "gru 2x12");
  expect(run("--resume --epochs 1 --prime '~'"), "0x7e");
}

}  // namespace
