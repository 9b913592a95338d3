#include "runtime/progress.h"

#include <cmath>
#include <cstdlib>
#include <limits>

#include <gtest/gtest.h>

namespace rondo {
namespace {

const ProgressState kHalf = {
    .done = 50, .total = 100, .loss = 1.5, .characters_per_second = 1.25e6, .seconds_left = 65};

TEST(ProgressLine, ShowsEverythingWhereThereIsRoom) {
  EXPECT_EQ(progress_line(kHalf, 120),
            "[===================                   ]  loss 1.5000  1:05 left  2.164 bits/char  1.25M char/s "
            " 50/100");
}

TEST(ProgressLine, NeverGoesBeyondTheWidth) {
  for (int width = 1; width < 130; ++width)
    EXPECT_LE(static_cast<int>(progress_line(kHalf, width).size()), width);
  EXPECT_EQ(progress_line(kHalf, 5), "");
  EXPECT_EQ(progress_line(kHalf, 24), "loss 1.5000  1:05 left");
  EXPECT_EQ(progress_line(kHalf, 40), "loss 1.5000  1:05 left  2.164 bits/char");
}

TEST(ProgressLine, TakesUnknownTimesAndNoUpdates) {
  ProgressState s;
  s.seconds_left = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(progress_text(s), "update 0/0: loss 0.0000, 0.000 bits/char, 0 char/s, -:-- left");
  s = {.done = 3, .total = 9, .loss = std::nan(""), .characters_per_second = 12345, .seconds_left = 7200};
  EXPECT_EQ(progress_text(s), "update 3/9: loss nan, nan bits/char, 12.3k char/s, 2:00:00 left");
}

/// A file in memory.
class MemoryFile {
 public:
  MemoryFile() : file_(::open_memstream(&text_, &size_)) {}
  ~MemoryFile() {
    std::fclose(file_);
    std::free(text_);
  }
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

/// A Progress that writes to memory under a clock of the test.
class ProgressTest : public ::testing::Test {
 protected:
  ProgressOptions options(bool terminal) {
    ProgressOptions o;
    o.file = file_.file();
    o.terminal = terminal;
    o.width = [] { return 25; };
    o.seconds = [this] { return now_; };
    return o;
  }
  std::string text() { return file_.text(); }

  double now_ = 100;
  MemoryFile file_;
};

TEST_F(ProgressTest, ATerminalGetsOneLineAtMostTenTimesASecond) {
  Progress p(200, 10, 100, options(true));
  p.update(101, 2);
  EXPECT_EQ(text(), "");
  now_ += 0.1001;
  p.update(102, 2);
  const std::string first = "\rloss 2.0000  0:05 left\x1b[K";
  EXPECT_EQ(text(), first);
  now_ += 0.05;
  p.update(103, 2);
  EXPECT_EQ(text(), first);
  p.note("held out: 1.9");
  EXPECT_EQ(text(), first + "\r\x1b[Kheld out: 1.9\n");
  p.finish();
  p.finish();
  EXPECT_EQ(text(), first + "\r\x1b[Kheld out: 1.9\n\rloss 2.0000  0:05 left\x1b[K\n");
}

TEST_F(ProgressTest, APipeGetsPlainLinesEveryFewSeconds) {
  Progress p(100, 10, 0, options(false));
  for (int i = 1; i <= 60; ++i) {
    now_ += 0.1001;
    p.update(i, 2);
  }
  p.note("note");
  p.finish();
  EXPECT_EQ(text(),
            "update 50/100: loss 2.0000, 2.885 bits/char, 100 char/s, 0:05 left\n"
            "note\n"
            "update 60/100: loss 2.0000, 2.885 bits/char, 100 char/s, 0:04 left\n");
}

}  // namespace
}  // namespace rondo
