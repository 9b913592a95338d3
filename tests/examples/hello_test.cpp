#include "tests/examples/example.h"

namespace rondo::testing {
namespace {

/// With each activation.
class Hello : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(With, Hello, ::testing::Values("tanh", "relu", "softsign"),
                         [](const auto& info) { return info.param; });

TEST_P(Hello, LearnsToWriteItsWord) {
  const std::string text = run_example("hello --updates 50 --activation " + GetParam());
  const std::vector<double> first = numbers_after(text, "\n     0"), last = numbers_after(text, "\n    50");
  ASSERT_EQ(first.size(), 5u) << text;
  ASSERT_EQ(last.size(), 5u) << text;
  EXPECT_GT(first[4], 4) << "the first loss is about 4 log 4";
  EXPECT_LT(last[4], 0.1);
  for (const std::vector<double>& losses : {first, last})
    EXPECT_NEAR(losses[0] + losses[1] + losses[2] + losses[3], losses[4], 0.003)
        << "the loss is a sum over time";
  EXPECT_TRUE(text.ends_with("   hello\n")) << text;
}

}  // namespace
}  // namespace rondo::testing
