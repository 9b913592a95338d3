#include "runtime/threads.h"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "support/error.h"

namespace rondo {
namespace {

/// Looks that a waiting thread takes, some 20 us of them, before it lets others have its core.
constexpr int kLooks = 1000;

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Looks until done() holds.
template <class Done>
void await(int looks, Done done) {
  for (int i = 0; i < looks; ++i) {
    if (done()) return;
    pause_briefly();
  }
  while (!done()) std::this_thread::yield();
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
  void wait() {
    const int64_t all = (arrive() / threads_ + 1) * threads_;
    await(looks_, [&] { return arrived_.load(std::memory_order_acquire) >= all; });
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
    task_ = task;
    context_ = context;
    barrier_.start(threads);
    for (int64_t i = 1; i < threads; ++i) workers_[i]->wake();
    run_as(0);
    barrier_.wait();
    return true;
  }

 private:
  struct alignas(64) Worker {
    std::atomic<uint32_t> calls = 0;
    std::thread thread;

    void wake() {
      calls.fetch_add(1, std::memory_order_release);
      calls.notify_one();
    }
  };

  void work(int64_t number) {
    Worker& self = *workers_[number];
    for (uint32_t seen = 0;; ++seen) {
      auto called = [&] { return self.calls.load(std::memory_order_acquire) != seen; };
      for (int i = 0; i < kLooks && !called(); ++i) pause_briefly();
      self.calls.wait(seen, std::memory_order_acquire);
      if (stop_) return;
      run_as(number);
      barrier_.arrive();  // the caller waits; a worker that did could miss the start of the next call
    }
  }

  void run_as(int64_t number) {
    Member member{number, [](Member*) { shared().barrier_.wait(); }};
    task_(context_, &member);
  }

  std::mutex busy_;
  void (*task_)(void*, Member*) = nullptr;
  void* context_ = nullptr;
  Barrier barrier_;
  int64_t size_ = 1;  // threads, the caller's included
  std::array<std::unique_ptr<Worker>, kMaxThreads> workers_;
  std::atomic<bool> stop_ = false;
};

}  // namespace

void reserve_threads(int64_t threads) { Pool::shared().reserve(threads); }

bool run_on_threads(int64_t threads, void (*task)(void*, Member*), void* context) {
  return Pool::shared().run(threads, task, context);
}

}  // namespace rondo
