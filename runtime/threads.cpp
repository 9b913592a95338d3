#include "runtime/threads.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "runtime/cores.h"
#include "runtime/crowd.h"
#include "support/error.h"

namespace rondo {
namespace {

/// Looks that a waiting thread takes, some 20 us of them, before it lets others have its core; those of a
/// wait that is none to speak of.
constexpr int kLooks = 1000, kFirstLooks = 50;

constexpr int64_t kSecond = 1'000'000'000;

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Whether done() holds within so many looks.
template <class Done>
bool holds_within(int looks, Done done) {
  for (int i = 0; i < looks; ++i) {
    if (done()) return true;
    pause_briefly();
  }
  return false;
}

/// Looks until done() holds. Returns the nanoseconds after the first looks.
template <class Done>
int64_t await(int looks, Done done) {
  if (holds_within(std::min(looks, kFirstLooks), done)) return 0;
  const int64_t start = now();
  if (!holds_within(looks - kFirstLooks, done))
    while (!done()) std::this_thread::yield();
  return now() - start;
}

/// Where all threads of a call wait for each other: how many have come since its start, over all times.
class Barrier {
 public:
  /// No thread may be waiting.
  void start(int64_t threads) {
    threads_ = threads;
    // Where threads share cores, the one to wait for may need this one's.
    looks_ = threads > cores_ ? 1 : kLooks;
    arrived_.store(0, std::memory_order_relaxed);
  }
  int64_t arrive() { return arrived_.fetch_add(1, std::memory_order_acq_rel); }
  /// Returns the nanoseconds that it took, of waits that are worth a clock.
  int64_t wait() {
    const int64_t all = (arrive() / threads_ + 1) * threads_;
    return await(looks_, [&] { return arrived_.load(std::memory_order_acquire) >= all; });
  }

 private:
  const int64_t cores_ = std::thread::hardware_concurrency();
  int64_t threads_ = 1;
  int looks_ = kLooks;
  alignas(64) std::atomic<int64_t> arrived_ = 0;
};

class Pool {
 public:
  static Pool& shared() {
    static Pool pool;
    return pool;
  }

  ~Pool() {
    stop_ = true;
    for (int64_t i = 1; i < size_; ++i) {
      workers_[i]->wake();
      workers_[i]->thread.join();
    }
  }

  void reserve(int64_t threads) {
    RONDO_CHECK(threads >= 1 && threads <= kMaxThreads, std::to_string(threads) + " threads");
    const std::lock_guard lock(busy_);
    for (; size_ < threads; ++size_) {
      auto& worker = workers_[size_] = std::make_unique<Worker>();
      worker->thread = std::thread([this, i = size_] { work(i); });
    }
  }

  bool run(int64_t threads, void (*task)(void*, Member*), void* context) {
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock) return false;
    const int64_t start = now();
    call(threads, task, context);
    const int64_t end = now();
    crowd_.note(end, end - start, waited_);
    return true;
  }

  int64_t wait_time() {
    const int64_t at = now();
    if (at < measure_at_.load(std::memory_order_relaxed)) return wait_time_.load(std::memory_order_relaxed);
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (lock && size_ > 1) measure_wait(at);
    return wait_time_.load(std::memory_order_relaxed);
  }

  bool is_crowded() const { return crowd_.was_there() && crowd_.is_there(now()); }

 private:
  /// The least of several tries, as another program may interrupt.
  void measure_wait(int64_t at) {
    constexpr int kTries = 8, kWaits = 4;
    int64_t least = kSecond;
    auto tries = [&](Member* m) {
      for (int i = 0; i < kTries; ++i) {
        const int64_t start = now();
        for (int k = 0; k < kWaits; ++k) m->sync(m);
        if (m->thread == 0) least = std::min(least, (now() - start) / kWaits);
      }
    };
    call(
        2, [](void* run, Member* m) { (*static_cast<decltype(tries)*>(run))(m); }, &tries);
    wait_time_.store(least, std::memory_order_relaxed);
    measure_at_.store(at + kSecond, std::memory_order_relaxed);
  }

  void call(int64_t threads, void (*task)(void*, Member*), void* context) {
    task_ = task;
    context_ = context;
    barrier_.start(threads);
    waited_ = 0;
    wake(threads);
    run_as(0);
    wait(0);
  }

  struct alignas(64) Worker {
    std::atomic<uint32_t> calls = 0;
    std::atomic<int> core = -1;  // where it was last
    std::thread thread;

    void wake() {
      calls.fetch_add(1, std::memory_order_release);
      calls.notify_one();
    }
  };

  /// Wakes the workers of a call, each on a core of its own where there are so many.
  void wake(int64_t threads) {
    Cores taken;
    taken.add(this_core());
    for (int64_t i = 1; i < threads; ++i) {
      Worker& worker = *workers_[i];
      std::optional<KeptOff> moving;
      if (!taken.add(worker.core.load(std::memory_order_relaxed))) moving.emplace(worker.thread, taken);
      worker.wake();
    }
  }

  void work(int64_t number) {
    Worker& self = *workers_[number];
    for (uint32_t seen = 0;; ++seen) {
      auto called = [&] { return self.calls.load(std::memory_order_acquire) != seen; };
      for (int i = 0; i < kLooks && !called(); ++i) pause_briefly();
      self.calls.wait(seen, std::memory_order_acquire);
      if (stop_) return;
      run_as(number);
      self.core.store(this_core(), std::memory_order_relaxed);
      barrier_.arrive();  // the caller waits; a worker that did could miss the start of the next call
    }
  }

  void run_as(int64_t number) {
    Member member{number, [](Member* m) { shared().wait(m->thread); }};
    task_(context_, &member);
  }

  void wait(int64_t number) {
    const int64_t took = barrier_.wait();
    if (number == 0) waited_ += took;
  }

  std::mutex busy_;
  void (*task_)(void*, Member*) = nullptr;
  void* context_ = nullptr;
  Barrier barrier_;
  int64_t waited_ = 0;  // nanoseconds, by the caller's thread in this call
  Crowd crowd_;
  std::atomic<int64_t> wait_time_ = 0, measure_at_ = 0;
  int64_t size_ = 1;  // threads, the caller's included
  std::array<std::unique_ptr<Worker>, kMaxThreads> workers_;
  std::atomic<bool> stop_ = false;
};

}  // namespace

void reserve_threads(int64_t threads) { Pool::shared().reserve(threads); }

bool run_on_threads(int64_t threads, void (*task)(void*, Member*), void* context) {
  return Pool::shared().run(threads, task, context);
}

int64_t wait_nanoseconds() { return Pool::shared().wait_time(); }

bool threads_are_crowded() { return Pool::shared().is_crowded(); }

}  // namespace rondo
