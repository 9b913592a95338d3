#include "runtime/threads.h"

#include <atomic>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

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

#if defined(__linux__)
/// A member's core, and those that it may use.
struct Place {
  int core = 0;
  cpu_set_t allowed;
  static Place now() {
    Place p{sched_getcpu(), {}};
    sched_getaffinity(0, sizeof p.allowed, &p.allowed);
    return p;
  }
};

TEST(Threads, HaveCoresOfTheirOwn) {
  const Place before = Place::now();
  if (CPU_COUNT(&before.allowed) < 2) GTEST_SKIP() << "there is one core only";
  reserve_threads(2);
  Place worker;
  auto run = [&](Member* m) {
    if (m->thread == 1) worker = Place::now();
  };
  for (int call = 0; call < 20; ++call) {
    // The caller comes to where the worker was last.
    ASSERT_TRUE(run_on_threads(2, run));
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(worker.core, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    const int taken = worker.core;
    ASSERT_TRUE(run_on_threads(2, run));
    EXPECT_NE(worker.core, taken);
    ASSERT_EQ(sched_setaffinity(0, sizeof before.allowed, &before.allowed), 0);
  }
  ASSERT_TRUE(run_on_threads(2, run));
  EXPECT_TRUE(CPU_EQUAL(&worker.allowed, &before.allowed));
}
#endif

TEST(Threads, WaitsAreMeasured) {
  reserve_threads(2);
  const int64_t wait = wait_nanoseconds();
  EXPECT_GT(wait, 0);
  std::atomic<int> runs = 0;
  auto run = [&](Member* m) {
    m->sync(m);
    ++runs;
  };
  ASSERT_TRUE(run_on_threads(2, run));
  EXPECT_EQ(runs, 2);
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
