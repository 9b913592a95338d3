#include "codegen/compile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "codegen/code_cache.h"
#include "codegen/compiled_code.h"
#include "codegen/compiler_id.h"
#include "codegen/llvm/jit.h"
#include "codegen/loops/schedule_choice.h"
#include "codegen/loops/schedule_report.h"
#include "codegen/loops/thread_gain.h"
#include "ir/text.h"
#include "runtime/threads.h"
#include "support/environment.h"
#include "support/error.h"
#include "support/stage_dump.h"
#include "support/stopwatch.h"

namespace rondo::codegen {

using namespace ir;

namespace {

Signature signature_of(const Func& func, const LoopProgram& program, const CompileOptions& options) {
  Signature s;
  s.name = func.name;
  s.dims = program.dims;
  s.aliases = options.aliases;
  auto arg_dim = [&](const Dim& d) {
    if (!d.is_named()) return ArgDim{d.size(), -1};
    auto at = std::find(s.dims.begin(), s.dims.end(), d.name());
    RONDO_CHECK(at != s.dims.end(), "no dim " + d.name());
    return ArgDim{0, static_cast<int32_t>(at - s.dims.begin())};
  };
  auto arg = [&](Value v, const char* unnamed, size_t i) {
    const std::string& name = func.value_name(v);
    Arg a{name.empty() ? fmt::format("{}{}", unnamed, i) : name, func.type(v).dtype, {}};
    for (const Dim& d : func.type(v).shape) a.shape.push_back(arg_dim(d));
    return a;
  };
  for (size_t i = 0; i < func.params.size(); ++i) s.inputs.push_back(arg(func.params[i], "in", i));
  RONDO_CHECK(options.outputs.empty() || options.outputs.size() == func.results.size(),
              "each result has one name");
  for (size_t i = 0; i < func.results.size(); ++i) {
    s.outputs.push_back(arg(func.results[i], "out", i));
    if (!options.outputs.empty()) s.outputs.back().name = options.outputs[i];
  }
  for (const IndexBound& b : program.bounds) {
    const int64_t more = b.bound.constant();
    if (b.bound.is_constant()) {
      s.bounds.push_back({b.input, {more, -1}, 0, b.low});
      continue;
    }
    const Poly::Term names = b.bound.terms().rbegin()->first;
    RONDO_CHECK(names.size() == 1 && b.bound == Poly(Dim(names.front())) + Poly(more),
                "bound " + to_string(b.bound));
    s.bounds.push_back({b.input, arg_dim(Dim(names.front())), more, b.low});
  }
  return s;
}

class Compiled : public Executable {
 public:
  explicit Compiled(CompiledCode code)
      : signature_(std::move(code.signature)),
        slots_(std::move(code.slots)),
        copies_(code.copies.begin(), code.copies.end()),
        thread_slots_(std::move(code.thread_slots)),
        threads_(code.threads),
        time_saved_(std::move(code.time_saved)),
        waits_(std::move(code.waits)),
        code_(load_object(code.object)) {
    if (threads_ > 1) reserve_threads(threads_);
  }

  const Signature& signature() const override { return signature_; }

  size_t scratch_bytes(const int64_t* dims) const override {
    return std::max(arena_bytes(slots_, dims), arena_bytes(thread_slots_, dims));
  }

  std::vector<size_t> copies() const override { return copies_; }

  void freeze(void* const* args) const override {
    if (code_->freeze_entry()) code_->freeze_entry()(args, nullptr, nullptr);
    if (!code_->member_freeze_entry()) return;
    for (Member member; member.thread < threads_; ++member.thread)
      code_->member_freeze_entry()(args, nullptr, nullptr, &member);
  }

  void call(void* const* args, const int64_t* dims, void* scratch) const override {
    if (threads_ > 1 && threads_gain(dims) && !threads_are_crowded()) {
      auto run = [&](Member* member) { code_->member_entry()(args, dims, scratch, member); };
      if (run_on_threads(threads_, run)) return;
    }
    code_->entry()(args, dims, scratch);
  }

 private:
  bool threads_gain(const int64_t* dims) const {
    const int64_t saved = time_saved_(dims), waits = saved > 0 ? waits_(dims) : 0;
    return saved > 0 && (waits == 0 || saved > waits * kTimesOfWait * 1000 * wait_nanoseconds());
  }

  static size_t arena_bytes(const std::vector<Size>& slots, const int64_t* dims) {
    int64_t sum = 0;
    for (const Size& bytes : slots) sum += (bytes(dims) + 63) / 64 * 64;
    return static_cast<size_t>(sum);
  }

  Signature signature_;
  std::vector<Size> slots_;
  std::vector<size_t> copies_;
  std::vector<Size> thread_slots_;
  int64_t threads_;
  Size time_saved_, waits_;
  std::unique_ptr<NativeCode> code_;
};

/// All that decides what the code is, each part with its length, so that no two ways to part it give one key.
std::string key_of(const Func& func, const CompileOptions& options, const Target& target) {
  // An option that is added has to be named here: it is part of the key, or, as dump_dir is, it is not.
  const auto& [aliases, outputs, cpu, features, dump_dir, triple, bound_rows, constants, schedule,
               keep_schedule, threads] = options;
  std::string key;
  auto add = [&](const std::string& part) { key += fmt::format("{}:{}\n", part.size(), part); };
  for (const std::string& part :
       {compiler_id(), target.triple, target.cpu, target.features, environment("RONDO_SKIP"),
        fmt::to_string(bound_rows), fmt::to_string(threads), schedule})
    add(part);
  add(fmt::to_string(fmt::join(constants, " ")));
  add(fmt::to_string(aliases.size()));
  for (const Signature::Alias& a : aliases) add(fmt::format("{} {}", a.input, a.output));
  for (const std::string& name : outputs) add(name);
  add(print(func));
  return key;
}

/// The program for several threads, if there are to be some and any call could be long enough for them.
std::optional<LoopProgram> lower_together(const Func& func, const CompileOptions& options) {
  if (options.threads == 1) return std::nullopt;
  LoopProgram program = lower(func, options);
  const Poly saved = thread_gain(program).saved;
  if (saved.is_constant() && saved.constant() <= 0) return std::nullopt;
  return program;
}

/// Adds the bytes of each packed copy that the program wants prepared, in the order of their arguments.
void add_copies(const LoopProgram& program, std::vector<uint64_t>& bytes) {
  for (const Pack& pack : program.prepared) {
    const Buffer& copy = program.buffers[pack.kernel->schedule.packed[pack.group]];
    bytes.push_back(static_cast<uint64_t>(copy.size.constant()) * size_of(copy.dtype));
  }
}

CompiledCode compile_now(const Func& func, const CompileOptions& options, const Target& target,
                         const StageDump& dump, CompileTimes& times) {
  Stopwatch watch;
  CompileOptions alone = options;
  alone.threads = 1;
  const LoopProgram program = lower(func, alone);
  const std::optional<LoopProgram> together = lower_together(func, options);
  watch.lap(times.lower);
  if (dump.on()) dump.write("20-loops.txt", to_string(program));
  if (dump.on()) dump.write("22-schedule.txt", schedule_report(program, target));
  if (dump.on() && together) dump.write("21-loops-of-threads.txt", to_string(*together));
  CompiledCode code;
  code.signature = signature_of(func, program, options);
  for (const Poly& bytes : program.slots) code.slots.emplace_back(bytes, program.dims);
  add_copies(program, code.copies);
  code.object = compile_object(program, together ? &*together : nullptr, target, options, times);
  if (!together) return code;
  add_copies(*together, code.copies);
  code.threads = together->threads;
  for (const Poly& bytes : together->slots) code.thread_slots.emplace_back(bytes, program.dims);
  const ThreadGain gain = thread_gain(*together);
  code.time_saved = Size(gain.saved, program.dims);
  code.waits = Size(gain.waits, program.dims);
  return code;
}

/// The options with the schedule that holds: the one asked for, the environment's, or the one kept.
CompileOptions with_schedule(const Func& func, const CompileOptions& asked, const Target& target,
                             const CodeCache& cache) {
  CompileOptions options = asked;
  options.schedule.clear();
  options.constants.clear();  // frozen or not, a function has one schedule
  const std::string key = cache.on() ? "schedule of\n" + key_of(func, options, target) : "";
  options.constants = asked.constants;
  if (cache.on() && asked.keep_schedule) cache.keep(key, to_string(parse_schedule(asked.schedule)));
  options.schedule = !asked.schedule.empty() ? asked.schedule : environment("RONDO_SCHEDULE");
  if (!options.schedule.empty() || asked.keep_schedule || !cache.on()) return options;
  options.schedule = cache.find(key).value_or("");
  return options;
}

}  // namespace

std::shared_ptr<const Executable> compile(const Func& func, const CompileOptions& asked,
                                          CompileTimes* times) {
  if (asked.threads < 1 || asked.threads > kMaxThreads)
    throw Error(
        fmt::format("rondo: {}: {} threads are not in [1,{}]", func.name, asked.threads, kMaxThreads));
  CompileTimes own;
  CompileTimes& spent = times ? *times : own;
  Stopwatch watch;
  const Target target = target_for(asked.cpu, asked.features, asked.triple);
  const StageDump dump(asked.dump_dir, func.name);
  const CodeCache cache = CodeCache::of_environment();
  if (environment("RONDO_TIME") == "1" && !cache.problem().empty())
    fmt::print(stderr, "rondo: code is not cached: {}\n", cache.problem());
  const CompileOptions options = with_schedule(func, asked, target, cache);
  const std::string key = cache.on() ? key_of(func, options, target) : "";
  // Who wants to see the stages wants them made.
  const std::optional<std::string> kept = dump.on() ? std::nullopt : cache.find(key);
  spent.from_cache = kept.has_value();
  CompiledCode code;
  if (kept) {
    code = compiled_code(*kept);
  } else {
    watch.lap(spent.load);
    code = compile_now(func, options, target, dump, spent);
    watch = {};
    cache.keep(key, to_bytes(code));
  }
  auto executable = std::make_shared<Compiled>(std::move(code));
  watch.lap(spent.load);
  return executable;
}

}  // namespace rondo::codegen
