// Func -> loop program -> LLVM -> machine code in memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ir/func.h"
#include "ir/loops.h"
#include "runtime/executable.h"

namespace rondo::codegen {

struct CompileOptions {
  /// Output j updates input i in place.
  std::vector<Signature::Alias> aliases = {};
  /// The outputs' names in the signature, one per result; empty: the names of the result values.
  std::vector<std::string> outputs = {};
  /// CPU and features as LLVM names them; empty: the host's.
  std::string cpu = {}, features = {};
  /// 20-loops.txt (21-loops-of-threads.txt as well), 22-schedule.txt, 30.ll, 31-opt.ll and 32.s are dumped to
  /// <dump_dir>/<function>/; empty: RONDO_DUMP.
  std::string dump_dir = {};
  /// Of another machine than the host; such code can be looked at and stored, not called.
  std::string triple = {};
  /// Whether rows past their end cost nothing, where lengths mask them; results are the same.
  bool bound_rows = true;
  /// Inputs that are the same at every call: what the code wants packed of them (LoopProgram::prepared) is
  /// made beforehand, by Executable::freeze, or by who compiles, who may know them.
  std::vector<uint32_t> constants = {};
  /// What the schedule is told (schedule_choice.h); empty: RONDO_SCHEDULE, else what was kept for the
  /// function, else the model of the machine chooses.
  std::string schedule = {};
  /// Keeps `schedule` for the function in the code cache; compilations without one of their own find it
  /// there.
  bool keep_schedule = false;
  /// Threads that run a call together, where the call is long enough; results are the same to the bit.
  int64_t threads = 1;
};

/// Where the time of a compilation went, in seconds.
struct CompileTimes {
  double lower = 0, emit = 0, optimize = 0, machine = 0;
  double load = 0;          // the code cache, and making the code ready to be called
  bool from_cache = false;  // nothing was compiled
  double total() const { return lower + emit + optimize + machine + load; }
};

/// Compiles func as it is (run the passes before), or takes the code from the code cache (code_cache.h).
/// Params are the inputs, results the outputs.
std::shared_ptr<const Executable> compile(const ir::Func& func, const CompileOptions& options = {},
                                          CompileTimes* times = nullptr);

/// Func -> loop program, fused, scheduled and with memory planned.
ir::LoopProgram lower(const ir::Func& func, const CompileOptions& options = {});

}  // namespace rondo::codegen
