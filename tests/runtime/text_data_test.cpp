#include "runtime/text_data.h"

#include <numeric>

#include <gtest/gtest.h>

#include "support/error.h"
#include "tests/runtime/util.h"

namespace rondo {
namespace {

using testing::error_of;
using testing::TempDir;
using testing::write_text;

TEST(ReadText, RefusesWhatIsNoText) {
  TempDir dir;
  const std::string path = dir.file("t");
  EXPECT_EQ(error_of([&] { read_text(path); }), path + ": cannot open: No such file or directory");
  write_text(path, "");
  EXPECT_EQ(error_of([&] { read_text(path); }), path + ": is empty");
  write_text(path, std::string("ab\0c", 4));
  EXPECT_EQ(error_of([&] { read_text(path); }), path + ": is not a text: byte 2 is zero");
  EXPECT_EQ(error_of([&] { read_text(dir.file("")); }), dir.file("") + ": is not a regular file");
  write_text(path, "caf\xc3\xa9\r\n");
  EXPECT_EQ(read_text(path), "caf\xc3\xa9\r\n");
}

TEST(Vocabulary, NumbersBytesInOrder) {
  const Vocabulary v("hello\xc3\n");
  EXPECT_EQ(v.symbols(), "\nehlo\xc3");
  EXPECT_EQ(v.encode("hole\n"), (std::vector<int32_t>{2, 4, 3, 1, 0}));
  EXPECT_EQ(v.decode(v.encode("hello\xc3\n")), "hello\xc3\n");
  EXPECT_EQ(Vocabulary::from_hex(v.to_hex()).symbols(), v.symbols());
  EXPECT_EQ(v.to_hex(), "0a65686c6fc3");
}

TEST(Vocabulary, RefusesWhatItDoesNotKnow) {
  const Vocabulary v("abc");
  EXPECT_EQ(error_of([&] { v.encode("abx"); }), "byte 0x78 at position 2 is not in the vocabulary");
  EXPECT_EQ(error_of([&] { v.decode(std::vector<int32_t>{0, 3}); }), "symbol 3 is outside [0,3)");
  EXPECT_EQ(error_of([&] { v.decode(std::vector<int32_t>{-1}); }), "symbol -1 is outside [0,3)");
  EXPECT_EQ(error_of([&] { Vocabulary::from_hex("616"); }),
            "vocabulary: `6` at 2 is not a byte in hexadecimal");
  EXPECT_EQ(error_of([&] { Vocabulary::from_hex("61 6"); }),
            "vocabulary: ` 6` at 2 is not a byte in hexadecimal");
}

std::vector<int32_t> numbers(int n) {
  std::vector<int32_t> ids(n);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

// 26 symbols, 2 rows, 3 steps: 4 windows, rows of 12; the last two symbols are cut.
TEST(TextWindows, GoOnInEachRow) {
  const TextWindows w(numbers(26), 2, 3, 0.75);
  EXPECT_EQ(w.training(), 3);
  EXPECT_EQ(w.held_out(), 1);
  std::vector<int32_t> ids(6), next(6);
  w.training_window(0, ids, next);
  EXPECT_EQ(ids, (std::vector<int32_t>{0, 12, 1, 13, 2, 14}));
  EXPECT_EQ(next, (std::vector<int32_t>{1, 13, 2, 14, 3, 15}));
  w.training_window(1, ids, next);
  EXPECT_EQ(ids, (std::vector<int32_t>{3, 15, 4, 16, 5, 17}));
  w.held_out_window(0, ids, next);
  EXPECT_EQ(ids, (std::vector<int32_t>{9, 21, 10, 22, 11, 23}));
  EXPECT_EQ(next, (std::vector<int32_t>{10, 22, 11, 23, 12, 0}));
}

TEST(TextWindows, RefuseShortTexts) {
  EXPECT_EQ(error_of([] { TextWindows(numbers(99), 10, 10); }),
            "a text of 99 characters is shorter than one window of 10 rows x 10 steps");
  EXPECT_EQ(error_of([] { TextWindows(numbers(199), 10, 10); }),
            "a text of 199 characters has 1 windows of 10 rows x 10 steps: 0.95 of them is none to train on");
  EXPECT_EQ(error_of([] { TextWindows(numbers(99), 0, 10); }),
            "a window of 0 rows and 10 steps: both must be at least 1");
  EXPECT_EQ(error_of([] { TextWindows(numbers(99), 1, 1, 0); }), "train fraction 0 is outside (0,1]");
  std::vector<int32_t> small(5), right(6);
  const TextWindows w(numbers(26), 2, 3, 1);
  EXPECT_EQ(w.held_out(), 0);
  EXPECT_EQ(error_of([&] { w.training_window(0, right, small); }),
            "a window of 3 steps x 2 rows does not fit buffers of 6 and 5 elements");
  EXPECT_THROW(w.training_window(4, right, right), InternalError);
}

}  // namespace
}  // namespace rondo
