// Cores of their own for threads that run together. A system wakes a thread where it slept, even if the one
// that wakes it is at work there, and a call is over before the system finds that another core is idle.
#pragma once

#include <thread>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace rondo {

#if defined(__linux__)

/// The core that runs the calling thread; negative if that is not known.
inline int this_core() { return sched_getcpu(); }

/// A set of cores.
class Cores {
 public:
  Cores() { CPU_ZERO(&set_); }

  /// Adds a core. Whether it was not there; one that is not known never was.
  bool add(int core) {
    if (core < 0 || core >= CPU_SETSIZE) return true;
    const bool is_new = !CPU_ISSET(core, &set_);
    CPU_SET(core, &set_);
    return is_new;
  }

 private:
  friend class KeptOff;
  cpu_set_t set_;
};

/// While it lives, a thread keeps off these cores, if it may use others.
class KeptOff {
 public:
  KeptOff(std::thread& thread, const Cores& cores) : thread_(thread.native_handle()) {
    if (pthread_getaffinity_np(thread_, sizeof allowed_, &allowed_) != 0) return;
    cpu_set_t shared, others;
    CPU_AND(&shared, &allowed_, &cores.set_);
    CPU_XOR(&others, &allowed_, &shared);
    if (CPU_COUNT(&others) > 0) moved_ = pthread_setaffinity_np(thread_, sizeof others, &others) == 0;
  }
  ~KeptOff() {
    if (moved_) pthread_setaffinity_np(thread_, sizeof allowed_, &allowed_);
  }
  KeptOff(const KeptOff&) = delete;
  KeptOff& operator=(const KeptOff&) = delete;

 private:
  pthread_t thread_;
  cpu_set_t allowed_;
  bool moved_ = false;
};

#else

inline int this_core() { return -1; }

class Cores {
 public:
  bool add(int) { return true; }
};

class KeptOff {
 public:
  KeptOff(std::thread&, const Cores&) {}
};

#endif

}  // namespace rondo
