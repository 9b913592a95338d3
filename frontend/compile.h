// From functions to programs that run natively.
#pragma once

#include <string>

#include "codegen/compile.h"
#include "frontend/function.h"
#include "frontend/gradient.h"
#include "ir/type.h"
#include "runtime/program.h"

namespace rondo {

/// Where the time of building a program went, in seconds.
struct BuildTimes {
  double passes = 0;
  codegen::CompileTimes codegen;
  double total() const { return passes + codegen.total(); }
};
/// "compiled in 0.214 s: passes 0.011, lower 0.004, emit 0.005, optimize 0.042, machine 0.150, load 0.002",
/// or "compiled in 0.014 s: passes 0.011, from the code cache 0.003".
std::string to_string(const BuildTimes&);

struct BuildOptions {
  ir::DimValues dims = {};              // binds named dims now, which specialises the code
  std::string cpu = {}, features = {};  // as LLVM names them; empty: the host's
  std::string dump_dir = {};            // for <dump_dir>/<function>/, each stage as text; empty: RONDO_DUMP
  BuildTimes* times = nullptr;
  /// What the schedule is told rather than chooses: "tile=6x2,panel=64" (codegen/loops/schedule_choice.h);
  /// empty: what RONDO_SCHEDULE says or `tune` kept, if anything. Results are the same to the bit.
  std::string schedule = {};
  bool keep_schedule = false;  // in the code cache, for later compilations of the function
  /// Threads that run a call together, that of the caller included, where it is long enough to gain by it.
  /// Results are the same to the bit.
  int64_t threads = 1;
  int64_t stash_bytes = 0;  // compile_training: as in GradientOptions
  /// For weights that stay as they are: what products want copied of them is copied once, not at each call;
  /// where threads share columns, for calls that they run once more. Calls do not see later changes until
  /// Program::freeze.
  bool frozen = false;
};

/// The function as a native program over these weights, which it shares. Throws Error for a parameter that is
/// missing there. In evaluation: what the function does in training alone is left out.
Program compile(const Function& function, const Weights& weights, const BuildOptions& options = {});

/// For tools that compile by themselves: what the code generator is told of a function that passes made
/// `func` of, and how a program of it finds its inputs.
codegen::CompileOptions code_options(const Function& function, const ir::Func& func, const BuildOptions&);
Binding binding_of(const Function& function);

/// The training step as a native program: each run is one update of the weights. The optimizer's slots are in
/// `program.weights()`, beside the parameters.
template <Optimizer O>
Program compile_training(const Function& function, const O& optimizer, const Weights& weights,
                         const BuildOptions& options = {}) {
  return compile(training_function(function, optimizer, {.stash_bytes = options.stash_bytes}), weights,
                 options);
}

}  // namespace rondo
