// Pipelines as text, and the runner that alone verifies, times, dumps, bisects and checks.
#pragma once

#include <string>
#include <string_view>

#include "ir/func.h"

namespace rondo::passes {

/// The default for inference and for training.
inline constexpr std::string_view kInference = "simplify,merge-matmuls,hoist-scan,sink-scan-outputs,simplify";
inline constexpr std::string_view kTraining =
    "simplify,gather-matmul,merge-matmuls,hoist-scan,sink-scan-outputs,simplify,grad,simplify,hoist-scan,sink-scan-outputs,sink-scan-sums,simplify";

struct RunOptions {
  /// Dumps each stage to this directory ("00-input.rondo", "03-grad.rondo"). RONDO_DUMP sets it.
  std::string dump_dir;
};

/// Runs a pipeline ("simplify,grad{wrt=w},hoist-scan"). Verifies before the first pass and after each. The environment adds: RONDO_TIME=1
/// prints the time of each pass, RONDO_DUMP=dir dumps, RONDO_SKIP=pass leaves a pass out, RONDO_CHECK=1 evaluates before and after each
/// pass on random inputs and throws InternalError naming the pass when they differ.
/// Throws Error for an unknown pass or option.
ir::Func run_pipeline(const ir::Func& func, std::string_view pipeline, const RunOptions& options = {});

}  // namespace rondo::passes
