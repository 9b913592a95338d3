#include "tests/examples/example.h"

namespace rondo::testing {
namespace {

TEST(Tagging, OnlyBothDirectionsKnowWhatIsToldLater) {
  const std::string text = run_example("tagging --updates 100");
  const size_t both = text.find("bidirectional");
  ASSERT_NE(both, text.npos) << text;
  const std::string forward = text.substr(0, both);
  EXPECT_NEAR(number_after(forward, "Teddy "), 50, 5) << "chance";
  EXPECT_GE(number_after(forward, "all others "), 99);
  EXPECT_GE(number_after(text, "Teddy "), 99);
  EXPECT_GE(number_after(text, "all others "), 99);
}

}  // namespace
}  // namespace rondo::testing
