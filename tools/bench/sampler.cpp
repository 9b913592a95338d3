#include "tools/bench/sampler.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

#include <atomic>
#include <cstdio>
#include <sstream>
#include <vector>

#include <fmt/format.h>

#include "support/error.h"
#include "tools/bench/machine.h"

namespace rondo::bench {
namespace {

/// Program counters.
constexpr size_t kMost = 1 << 16;
uintptr_t samples[kMost];
std::atomic<size_t> sampled = 0;

void take_sample(int, siginfo_t*, void* context) {
  const auto* c = static_cast<const ucontext_t*>(context);
#if defined(__x86_64__)
  const auto pc = static_cast<uintptr_t>(c->uc_mcontext.gregs[REG_RIP]);
#else
  const auto pc = static_cast<uintptr_t>(c->uc_mcontext.pc);
#endif
  if (sampled < kMost) samples[sampled++] = pc;
}

void sample_every(long microseconds) {
  struct sigaction action = {};
  action.sa_sigaction = take_sample;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGPROF, &action, nullptr);
  const itimerval timer{{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_PROF, &timer, nullptr);
}

std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) throw Error("cannot run " + command);
  char block[4096];
  for (size_t n = 0; (n = std::fread(block, 1, sizeof block, pipe)) > 0;) text.append(block, n);
  if (::pclose(pipe) != 0) throw Error("failed: " + command);
  return text;
}

void* load(const std::string& assembly) {
  const std::string file = assembly + ".so";
  output_of(fmt::format("cc -shared -o '{}' '{}'", file, assembly));
  void* handle = dlopen(file.c_str(), RTLD_NOW);
  if (!handle) throw Error(dlerror());
  return handle;
}

}  // namespace

SharedObject::SharedObject(std::shared_ptr<const Executable> compiled, const std::string& assembly)
    : compiled_(std::move(compiled)), handle_(load(assembly)) {
  entry_ = reinterpret_cast<Entry>(dlsym(handle_, "rondo_entry"));
  Dl_info info;
  if (!entry_ || !dladdr(reinterpret_cast<void*>(entry_), &info)) throw Error(assembly + " has no entry");
  std::istringstream symbols(output_of(fmt::format("nm --defined-only '{}.so'", assembly)));
  std::string at, kind, name;
  while (symbols >> at >> kind >> name)
    if (kind == "t" || kind == "T")
      functions_[reinterpret_cast<uintptr_t>(info.dli_fbase) + std::stoull(at, nullptr, 16)] = name;
}

SharedObject::~SharedObject() { dlclose(handle_); }

std::string SharedObject::function_at(uintptr_t pc) const {
  auto next = functions_.upper_bound(pc);
  return next == functions_.begin() || next == functions_.end() ? "" : std::prev(next)->second;
}

Samples sample(Program& program, const SharedObject& object, double seconds) {
  program.run();
  sampled = 0;
  sample_every(1000);
  const double start = processor_time();
  int64_t calls = 0, batch = 1;
  double taken = 0;
  for (; taken < seconds; taken = processor_time() - start) {
    if (taken < seconds / 16) batch *= 2;  // reading the clock takes longer than a small step
    for (int64_t i = 0; i < batch; ++i, ++calls) program.run();
  }
  Samples result{taken / static_cast<double>(calls), {}};
  sample_every(0);
  for (size_t i = 0; i < sampled; ++i)
    result.shares[object.function_at(samples[i])] += 1 / static_cast<double>(sampled);
  return result;
}

}  // namespace rondo::bench
