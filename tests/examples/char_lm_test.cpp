// The character language model from its command line.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/shell.h"

namespace {

namespace fs = std::filesystem;
using rondo::testing::Outcome;

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

  /// Runs char_lm, behind `before`, on the text with a small model.
  Outcome run(const std::string& options, const std::string& before = "",
              const std::string& text = "text.txt") {
    return shell(fmt::format("timeout 60 {} {}", before, command(options, text)));
  }
  static std::string command(const std::string& options, const std::string& text = "text.txt") {
    return fmt::format("{} --text {} --layers 2 --hidden 12 --batch 4 --steps 8 {}", CHAR_LM, text, options);
  }
  Outcome shell(const std::string& command) const {
    return rondo::testing::shell(fmt::format("cd {} && {{ {}; }}", dir_.string(), command));
  }
  /// Runs char_lm on a terminal of so many columns, and types Ctrl-C once a live line stands there.
  Outcome on_terminal(unsigned short columns, const std::string& options) {
    const winsize size = {24, columns, 0, 0};
    int terminal = -1;
    const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
    if (child == 0) {
      const std::string line = fmt::format("cd {} && exec {}", dir_.string(), command(options));
      ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      ::_exit(127);
    }
    std::string output;
    bool typed = false;
    char block[4096];
    pollfd ready = {terminal, POLLIN, 0};
    while (::poll(&ready, 1, 60'000) > 0) {
      const ssize_t got = ::read(terminal, block, sizeof block);
      if (got <= 0) break;
      output.append(block, got);
      if (!typed && output.find("\x1b[K") != output.npos) typed = ::write(terminal, "\x03", 1) == 1;
    }
    ::close(terminal);  // hangs up: a program that goes on ends here
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
  }

  /// Both files that a run leaves.
  std::string saved(const std::string& out) {
    return contents(dir_ / out / "checkpoint.safetensors") + contents(dir_ / out / "weights.safetensors");
  }

  fs::path dir_;
};

TEST_F(CharLm, DumpsEachFunctionApart) {
  EXPECT_EQ(run("--epochs 1 --sample 10 --out out", "env RONDO_DUMP=dump").code, 0);
  for (const char* function : {"loss", "loss.training", "generate"})
    for (const char* file : {"00-input.rondo", "20-loops.txt", "30.ll", "31-opt.ll", "32.s"})
      EXPECT_GT(contents(dir_ / "dump" / function / file).size(), 0u) << function << " " << file;
  EXPECT_NE(contents(dir_ / "dump/loss.forward/00-input.rondo"), "");
  std::vector<std::string> strays;
  for (const auto& entry : fs::directory_iterator(dir_ / "dump"))
    if (!entry.is_directory()) strays.push_back(entry.path().filename());
  EXPECT_EQ(strays, std::vector<std::string>{});
  for (const char* function : {"loss", "loss.training"}) {  // the text runs, as the evaluator says
    const Outcome checked =
        shell(fmt::format("{} run dump/{}/00-input.rondo --dims T=3,B=2 --check", RONDO_TOOL, function));
    EXPECT_EQ(checked.code, 0) << checked.text;
  }
}

TEST_F(CharLm, TheLibraryWritesTheSameText) {
  const Outcome trained = run("--epochs 3 --sample 200 --temperature 0.7 --seed 5 --library lib --out out");
  EXPECT_EQ(trained.code, 0) << trained.text;
  const Outcome written =
      shell("'" RONDO_CC "' -std=c99 -Wall -Wextra -Werror -Ilib '" RONDO_SOURCE_DIR
            "/examples/char_lm/writer.c' lib/libchar_lm.a -o writer && ./writer 200 0.7 5");
  EXPECT_EQ(written.code, 0) << written.text;
  EXPECT_GT(written.text.size(), 200u);
  EXPECT_TRUE(trained.text.ends_with("\n" + written.text)) << trained.text << written.text;
}

TEST_F(CharLm, AResumedRunGivesTheSameBits) {
  for (const char* model : {"lstm", "gru", "rnn", "lstm --layers 3 --dropout 0.3 --residual"}) {
    const std::string options = fmt::format("--protocol char-rnn --cell {} --sample 0", model);
    EXPECT_EQ(run(options + " --epochs 3 --out whole").code, 0);
    EXPECT_EQ(run(options + " --epochs 1 --out parts").code, 0);
    EXPECT_NE(saved("whole"), saved("parts"));
    EXPECT_EQ(run(options + " --epochs 3 --out parts --resume").code, 0);
    EXPECT_EQ(saved("whole"), saved("parts"));
  }
}

// Stopped at any update, inside an epoch: Adam, a learning rate that falls, a state that is carried.
TEST_F(CharLm, AnInterruptedRunEndsInTheSameBits) {
  EXPECT_EQ(run("--epochs 100 --sample 0 --out whole").code, 0);
  const Outcome stopped =
      shell(command("--epochs 100 --out parts >stopped & child=$!") +
            "; for i in $(seq 3000); do [ -s parts/weights.safetensors ] && break; sleep 0.01; done"
            "; kill -TERM $child; wait $child");
  EXPECT_EQ(stopped.code, 130) << stopped.text;
  EXPECT_NE(contents(dir_ / "stopped").find("stopped after update "), std::string::npos);
  EXPECT_NE(saved("whole"), saved("parts"));
  EXPECT_EQ(run("--resume --sample 0 --out parts").code, 0);
  EXPECT_EQ(saved("whole"), saved("parts"));
}

TEST_F(CharLm, ATerminalHasALiveLineUntilCtrlC) {
  for (const unsigned short columns : {24, 80}) {
    const Outcome outcome = on_terminal(columns, "--epochs 100000");
    EXPECT_EQ(outcome.code, 130) << outcome.text;
    EXPECT_TRUE(outcome.text.ends_with("--resume goes on\r\n")) << outcome.text;
    const std::string kept = saved("out");
    EXPECT_EQ(run("--resume --epochs 0 --sample 40").code, 0);  // only writes
    EXPECT_EQ(saved("out"), kept);
    size_t live = 0;  // what stands between \r and the code that clears the rest of the line
    for (size_t end = 0; (end = outcome.text.find("\x1b[K", end)) != std::string::npos; ++end, ++live) {
      const size_t start = outcome.text.rfind('\r', end) + 1;
      EXPECT_LT(end - start, columns) << outcome.text;
    }
    EXPECT_GT(live, 0u);
  }
}

TEST_F(CharLm, AFullDiskLeavesTheOldCheckpoint) {
  EXPECT_EQ(run("--epochs 1 --sample 0").code, 0);
  const std::string kept = saved("out");
  const Outcome full = run("--epochs 2 --resume", R"(sh -c 'ulimit -f 8; exec "$0" "$@"')");
  EXPECT_EQ(full.code, 1);
  EXPECT_TRUE(full.text.ends_with("char_lm: out/checkpoint.safetensors: cannot write: File too large\n"))
      << full.text;
  EXPECT_EQ(saved("out"), kept);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_ / "out"), {}), 3);
  EXPECT_EQ(run("--epochs 2 --resume").code, 0);
}

TEST_F(CharLm, ALossThatIsNoNumberLeavesTheLastGoodCheckpoint) {
  EXPECT_EQ(run("--epochs 1 --sample 0").code, 0);
  const std::string kept = saved("out");
  const Outcome outcome = run("--epochs 2 --rate 1e38 --resume");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.text.find("char_lm: the loss is "), std::string::npos) << outcome.text;
  EXPECT_NE(outcome.text.find("at update 236: training stops; the checkpoint of update 234 stays"),
            std::string::npos)
      << outcome.text;
  EXPECT_EQ(saved("out"), kept);
}

TEST_F(CharLm, WritingIsReproducible) {
  EXPECT_EQ(run("--epochs 1 --sample 0").code, 0);
  auto write = [&](const std::string& options) {
    const std::string output = run("--resume --epochs 0 --sample 200 " + options).text;
    return output.substr(output.find("\n\n"));
  };
  EXPECT_EQ(write("--temperature 0 --seed 1"), write("--temperature 0 --seed 2"));
  EXPECT_EQ(write("--seed 1"), write("--seed 1"));
  EXPECT_NE(write("--seed 1"), write("--seed 2"));
}

TEST_F(CharLm, LearnsByTheClockLogsAndWrites) {
  const Outcome outcome = run("--minutes 0.05 --sample 100 --prime line --temperature 0.5");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("held-out loss"), std::string::npos) << outcome.text;
  EXPECT_NE(contents(dir_ / "out/log.txt").find("held-out loss"), std::string::npos);
  const size_t written = outcome.text.find("\n\nline");
  ASSERT_NE(written, std::string::npos) << outcome.text;
  EXPECT_EQ(outcome.text.size() - written, 2 + 4 + 100 + 1u);
  EXPECT_EQ(outcome.text.find_first_of("\r\x1b"), std::string::npos) << "plain lines only";
}

TEST_F(CharLm, SaysWhatIsWrong) {
  auto expect = [&](const Outcome& outcome, const std::string& message) {
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.text.find(message), std::string::npos) << outcome.text;
  };
  std::ofstream(dir_ / "empty.txt");
  std::ofstream(dir_ / "short.txt") << "short";
  std::ofstream(dir_ / "binary.txt") << std::string("a\0b", 3);
  expect(run("", "", "none.txt"), "char_lm: none.txt: cannot open");
  expect(run("", "", "empty.txt"), "empty");
  expect(run("", "", "binary.txt"), "byte 1 is zero");
  expect(run("", "", "short.txt"), "shorter than one window of 4 rows x 8 steps");
  expect(run("--resume --out nowhere"), "nowhere/checkpoint.safetensors");
  expect(run("--out text.txt"), "--out `text.txt`: Not a directory");
  expect(run("--prime 'x~'"), "--prime: byte 0x7e at position 1 is not in the vocabulary");
}

TEST_F(CharLm, RefusesACheckpointOfAnotherRun) {
  EXPECT_EQ(run("--epochs 1 --sample 0").code, 0);
  const std::string kept = saved("out");
  std::string other = contents(dir_ / "text.txt");
  std::ofstream(dir_ / "longer.txt") << other << "text\n";
  for (char& c : other) c = c == 't' ? 'T' : c;
  std::ofstream(dir_ / "other.txt") << other;
  auto expect = [&](const Outcome& outcome, const std::string& message) {
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.text.find("char_lm: out/checkpoint.safetensors: a checkpoint " + message),
              std::string::npos)
        << outcome.text;
  };
  expect(run("--resume --cell gru"), "of another model: `lstm 2x12, 21 symbols`, not `gru 2x12, 21 symbols`");
  expect(run("--resume --hidden 13"),
         "of another model: `lstm 2x12, 21 symbols`, not `lstm 2x13, 21 symbols`");
  expect(run("--resume --batch 3"), "of another model: state/state.0 is f32[4,12], not f32[3,12]");
  expect(run("--resume --steps 9"), "that cannot go on here: text `");
  expect(run("--resume", "", "longer.txt"), "that cannot go on here: text `");
  expect(run("--resume", "", "other.txt"), "that cannot go on here: symbols `");
  EXPECT_EQ(saved("out"), kept);
}

TEST_F(CharLm, WrongUsageHasACodeOfItsOwn) {
  for (const char* options : {"--cell lstmm", "--epochs 1 --minutes 1", "--epochs -1", "--epochs 1.5",
                              "--epochs 9223372036854775807", "--rate nan", "--temperature nan",
                              "--minutes inf", "--seed -1", "--layers 0"}) {
    const Outcome outcome = run(options);
    EXPECT_EQ(outcome.code, 2) << options;
    EXPECT_NE(outcome.text.find("--"), std::string::npos) << outcome.text;
  }
}

}  // namespace
