#include "runtime/threads.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/runtime/count_allocations.h"

namespace rondo {
namespace {

TEST(Threads, EachMemberRunsOnce) {
  for (const int64_t threads : {1, 2, 5, 3}) {
    reserve_threads(threads);
    std::vector<std::atomic<int>> runs(static_cast<size_t>(threads));
    auto run = [&](Member* m) { ++runs[static_cast<size_t>(m->thread)]; };
    for (int call = 0; call < 100; ++call) ASSERT_TRUE(run_on_threads(threads, run));
    for (const auto& count : runs) EXPECT_EQ(count, 100);
  }
}

TEST(Threads, SeeAfterAWaitWhatOthersWroteBefore) {
  constexpr int64_t kThreads = 3, kSteps = 500;
  reserve_threads(kThreads);
  std::vector<int64_t> values(kThreads), next(kThreads);
  auto run = [&](Member* m) {
    for (int64_t step = 0; step < kSteps; ++step) {
      next[m->thread] = values[(m->thread + 1) % kThreads] + 1;
      m->sync(m);
      values[m->thread] = next[m->thread];
      m->sync(m);
    }
  };
  ASSERT_TRUE(run_on_threads(kThreads, run));
  for (const int64_t v : values) EXPECT_EQ(v, kSteps);
}

TEST(Threads, OfAnotherCallAreLeftAlone) {
  reserve_threads(2);
  int started = 0;
  auto nothing = [&](Member*) { ++started; };
  bool ran = true;
  auto run = [&](Member* m) {
    if (m->thread == 0) std::thread([&] { ran = run_on_threads(2, nothing); }).join();
  };
  ASSERT_TRUE(run_on_threads(2, run));
  EXPECT_FALSE(ran);
  EXPECT_EQ(started, 0);
}

TEST(Threads, CallsAllocateNothing) {
  reserve_threads(4);
  auto run = [](Member* m) { m->sync(m); };
  ASSERT_TRUE(run_on_threads(4, run));
  const int64_t before = testing::allocation_count();
  for (int call = 0; call < 50; ++call) run_on_threads(4, run);
  EXPECT_EQ(testing::allocation_count(), before);
}

}  // namespace
}  // namespace rondo
