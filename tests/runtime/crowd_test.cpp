#include "runtime/crowd.h"

#include <gtest/gtest.h>

namespace rondo {
namespace {

constexpr int64_t kMs = 1'000'000, kSecond = 1000 * kMs;

TEST(Crowd, IsNotThereWhereCallsHardlyWait) {
  Crowd crowd;
  crowd.note(10 * kMs, 3 * kMs, 0);
  crowd.note(20 * kMs, 3 * kMs, 2 * kMs);  // uneven shares
  EXPECT_FALSE(crowd.was_there());
  EXPECT_FALSE(crowd.is_there(20 * kMs));
}

TEST(Crowd, KeepsCallsToOneThreadTenTimesAsLongAsOneWaited) {
  Crowd crowd;
  crowd.note(100 * kMs, 5 * kMs, 4 * kMs);
  EXPECT_TRUE(crowd.was_there());
  EXPECT_TRUE(crowd.is_there(139 * kMs));
  EXPECT_FALSE(crowd.is_there(140 * kMs));
}

TEST(Crowd, StaysLongerEachTimeButNotForEver) {
  Crowd crowd;
  int64_t now = kSecond;
  for (const int64_t pause : {40, 80, 160, 320, 640, 1000, 1000}) {
    crowd.note(now, 5 * kMs, 4 * kMs);
    EXPECT_TRUE(crowd.is_there(now + pause * kMs - 1)) << pause;
    EXPECT_FALSE(crowd.is_there(now + pause * kMs)) << pause;
    now += pause * kMs;
  }
}

TEST(Crowd, IsForgottenAfterACallThatDoesNotWait) {
  Crowd crowd;
  crowd.note(100 * kMs, 5 * kMs, 4 * kMs);
  crowd.note(150 * kMs, 3 * kMs, 0);
  EXPECT_FALSE(crowd.was_there());
  crowd.note(200 * kMs, 5 * kMs, 4 * kMs);
  EXPECT_FALSE(crowd.is_there(240 * kMs));  // as short as the first
}

}  // namespace
}  // namespace rondo
