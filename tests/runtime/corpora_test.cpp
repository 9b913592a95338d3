// The data set of the training anchors comes out as they count it.
#include <gtest/gtest.h>

#include "runtime/text_data.h"
#include "tests/cases.h"

namespace rondo {
namespace {

TEST(Corpora, TinyShakespeareHasTheWindowsOfCharRnn) {
  const auto path = testing::case_path("corpora/tinyshakespeare/input.txt");
  RONDO_NEED_CASE(path);
  const std::string text = read_text(path.string());
  EXPECT_EQ(text.size(), 1'115'394u);
  const Vocabulary vocabulary(text);
  EXPECT_EQ(vocabulary.size(), 65);
  const TextWindows windows(vocabulary.encode(text), 50, 50, 0.95);
  EXPECT_EQ(windows.training(), 423);
  EXPECT_EQ(windows.held_out(), 23);
}

}  // namespace
}  // namespace rondo
