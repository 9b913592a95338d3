// Where the time of a model goes, kernel by kernel. Each kernel is a function of its own in compiled code; so
// its assembly becomes a shared object, whose symbols tell what a sampled program counter belongs to. Under
// `valgrind --tool=callgrind` (which needs --cpu x86-64-v3) the same symbols count instructions.
#include <dlfcn.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/compile.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tools/bench/machine.h"
#include "tools/bench/measure.h"
#include "tools/bench/options.h"

namespace {

using namespace rondo;

/// Program counters, one a millisecond of processor time.
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

/// A compiled function whose code lies in a shared object.
class SharedObject : public Executable {
 public:
  SharedObject(std::shared_ptr<const Executable> compiled, const std::string& file)
      : compiled_(std::move(compiled)), handle_(dlopen(file.c_str(), RTLD_NOW)) {
    if (!handle_) throw Error(dlerror());
    entry_ = reinterpret_cast<Entry>(dlsym(handle_, "rondo_entry"));
    Dl_info info;
    if (!entry_ || !dladdr(reinterpret_cast<void*>(entry_), &info)) throw Error(file + " has no entry");
    std::istringstream symbols(output_of("nm --defined-only " + file));
    std::string at, kind, name;
    while (symbols >> at >> kind >> name)
      if (kind == "t" || kind == "T")
        functions_[reinterpret_cast<uintptr_t>(info.dli_fbase) + std::stoull(at, nullptr, 16)] = name;
  }
  ~SharedObject() override { dlclose(handle_); }

  const Signature& signature() const override { return compiled_->signature(); }
  size_t scratch_bytes(const int64_t* dims) const override { return compiled_->scratch_bytes(dims); }
  void call(void* const* args, const int64_t* dims, void* scratch) const override {
    entry_(args, dims, scratch);
  }
  /// The function whose code it is; empty for code elsewhere.
  std::string function_at(uintptr_t pc) const {
    auto next = functions_.upper_bound(pc);
    return next == functions_.begin() || next == functions_.end() ? "" : std::prev(next)->second;
  }

 private:
  using Entry = void (*)(void* const*, const int64_t*, void*);
  std::shared_ptr<const Executable> compiled_;
  void* handle_;
  Entry entry_;
  std::map<uintptr_t, std::string> functions_;
};

/// What each kernel is: its extents, those of its sums, and which loop of time it stands in.
void describe(const std::vector<ir::Stmt>& stmts, const std::string& where,
              std::map<std::string, std::string>& words) {
  auto list = [](const std::vector<ir::Poly>& extents) {
    std::vector<std::string> texts;
    for (const ir::Poly& p : extents) texts.push_back(ir::to_string(p));
    return fmt::format("[{}]", fmt::join(texts, ","));
  };
  for (const ir::Stmt& s : stmts) {
    if (s.loop) describe(s.loop->body, s.loop->reverse ? ", each step backward" : ", each step", words);
    if (!s.kernel) continue;
    const auto& accs = s.kernel->accs;
    words[s.kernel->name] =
        list(s.kernel->dims) + (accs.empty() ? "" : " sums over " + list(accs[0].dims)) + where;
  }
}

struct Native {
  std::shared_ptr<const SharedObject> object;
  std::map<std::string, std::string> words;  // of each kernel
};

Native make_native(const Function& function, const bench::Spec& spec, const std::string& cpu,
                   const std::string& folder) {
  const ir::Func func =
      passes::run_pipeline(passes::bind_dims(function.func, {{"B", spec.batch}}), function.pipeline);
  codegen::CompileOptions options;
  options.aliases = function.aliases(func);
  options.outputs = function.outputs;
  options.cpu = cpu;
  options.dump_dir = folder;
  auto compiled = codegen::compile(func, options);
  const std::string base = fmt::format("{}/{}/", folder, func.name);
  output_of(fmt::format("cc -shared -o {0}code.so {0}32.s", base));
  Native native{std::make_shared<SharedObject>(std::move(compiled), base + "code.so"), {}};
  describe(codegen::lower(func, options).stmts, "", native.words);
  return native;
}

/// Runs for so long; returns seconds a call.
double run_sampled(Program& program, double seconds) {
  program.run();
  sample_every(1000);
  const double start = bench::now();
  int64_t calls = 0;
  for (; bench::now() - start < seconds; ++calls) program.run();
  const double taken = bench::now() - start;
  sample_every(0);
  return taken / static_cast<double>(calls);
}

void print_shares(const Native& native) {
  std::map<std::string, size_t> counts;
  for (size_t i = 0; i < sampled; ++i) ++counts[native.object->function_at(samples[i])];
  std::vector<std::pair<size_t, std::string>> sorted;
  for (const auto& [name, count] : counts) sorted.emplace_back(count, name);
  std::sort(sorted.rbegin(), sorted.rend());
  for (const auto& [count, name] : sorted) {
    // Of kernels of one name, as stacked layers have, LLVM numbers the later ones.
    auto found = native.words.find(name);
    if (found == native.words.end()) found = native.words.find(name.substr(0, name.rfind('.')));
    fmt::print("{:6.2f} % {} {}\n", 100.0 * static_cast<double>(count) / static_cast<double>(sampled),
               name.empty() ? "(the caller)" : name, found == native.words.end() ? "" : found->second);
  }
}

void profile(const bench::Spec& spec, const std::string& cpu, double seconds, const std::string& folder) {
  const bench::Built built = bench::build(spec);
  const Native native = make_native(built.function, spec, cpu, folder);
  Binding binding{{}, built.function.state};
  for (const Param& p : built.function.params) binding.weights.push_back(p.name());
  binding.weights.insert(binding.weights.end(), built.function.slots.begin(), built.function.slots.end());
  Program program(native.object, built.weights, binding);
  if (spec.mode != bench::Mode::stream) program.resize({{"T", spec.steps}});
  bench::fill_inputs(program, spec);
  fmt::print("{:.3f} us a call\n", run_sampled(program, seconds) * 1e6);
  print_shares(native);
}

}  // namespace

int main(int argc, char** argv) {
  bench::Spec spec;
  std::string mode = "infer", cpu,
              folder = std::filesystem::temp_directory_path() / fmt::format("rondo-profile-{}", ::getpid());
  double seconds = 2;
  CLI::App app{"Samples which kernels of a model its time goes to"};
  bench::add_model_options(app, spec, mode);
  app.add_option("--cpu", cpu, "compile for another than the host's");
  app.add_option("--seconds", seconds)->capture_default_str();
  app.add_option("--keep", folder, "leave the stages of the compilation here");
  CLI11_PARSE(app, argc, argv);
  try {
    spec.mode = bench::parse_mode(mode);
    setenv("RONDO_CACHE", "off", 1);  // what comes from the cache leaves no assembly
    profile(spec, cpu, seconds, folder);
    if (app.count("--keep") == 0) std::filesystem::remove_all(folder);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
