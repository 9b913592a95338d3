#include "tests/examples/example.h"

namespace rondo::testing {
namespace {

TEST(Counter, GoesOnBeyondWhatItWasTrainedOn) {
  const std::string text = run_example("counter --longest 10 --updates 4000 --seeds 3");
  EXPECT_GT(number_after(text, "median: "), 20);
  EXPECT_LT(number_after(text, "seed  1: loss "), 0.01);
}

TEST(Counter, KnowsNothingUntrained) {
  EXPECT_EQ(number_after(run_example("counter --longest 2 --updates 1 --seeds 1"), "median: "), 1);
}

}  // namespace
}  // namespace rondo::testing
