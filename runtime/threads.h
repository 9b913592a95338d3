// The threads that run calls of compiled code together.
#pragma once

#include <cstdint>

#include "runtime/executable.h"

namespace rondo {

/// Most threads that a call can have.
inline constexpr int64_t kMaxThreads = 256;

/// Makes sure that so many threads can run at once, that of the caller included. They are one pool for the
/// whole process, and sleep while there is nothing to do.
void reserve_threads(int64_t threads);

/// Runs task(context, member) on so many threads, the caller's as member 0, and returns when all are done.
/// Does nothing and returns false if the pool is at work for another thread: then more threads than cores
/// would compete. Allocates nothing. So many threads must be reserved.
bool run_on_threads(int64_t threads, void (*task)(void* context, Member*), void* context);
/// The same for run(member).
template <class Run>
bool run_on_threads(int64_t threads, Run& run) {
  return run_on_threads(
      threads, [](void* context, Member* member) { (*static_cast<Run*>(context))(member); }, &run);
}

/// What a wait of two threads for each other takes: some 100 where their cores share a cache, and three times
/// as much where they do not. Measured each second in which somebody asks.
int64_t wait_nanoseconds();

/// Whether others have the cores: the threads of late calls waited for most of the time, and one thread
/// alone is faster.
bool threads_are_crowded();

}  // namespace rondo
