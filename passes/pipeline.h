// Pipelines as text, and the runner that alone verifies, times, dumps, bisects and checks.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "ir/func.h"

namespace rondo::passes {

/// The defaults. Inference reorders no sum that a step computes, so `step` N times and `run` once agree to
/// the bit. What does are sink-scan-sums and center-products, which stand where there are losses and
/// gradients, and tile-outputs, tile-sequences and tile-rows, which cut sums over all rows.
///
/// Products and sums are fused first, so that no bit depends on where ops go. Output layers leave the scan
/// before products are merged, so that they do not become part of a product that has to stay; stacked layers
/// part before, for the same reason; products are merged before they are hoisted, so that the loop reads one
/// tensor of all gates; but for inference, where matrices of 64 columns and more fill tiles alone, only
/// narrower ones.
inline constexpr std::string_view kInference =
    "mask-lengths,simplify,fuse-multiply-adds,sink-scan-outputs,split-scan,merge-matmuls{columns=64},"
    "hoist-scan,sink-scan-outputs,simplify,tile-outputs";
/// For functions whose first result is a loss. What stands before `grad` runs on the loss alone, what stands
/// after it on loss, gradients and the optimizer's update together.
inline constexpr std::string_view kTraining =
    "mask-lengths,simplify,center-products,simplify,fuse-multiply-adds,gather-matmul,sink-scan-outputs,"
    "split-scan,merge-matmuls,hoist-scan,sink-scan-sums,sink-scan-outputs,hoist-scan,simplify,grad,"
    "simplify,hoist-scan,sink-scan-sums,sink-scan-outputs,hoist-scan,simplify,tile-outputs,"
    "tile-sequences,tile-rows,used-rows";

/// To be appended to kInference: what is hoisted out of time runs for blocks of steps, so that the memory of
/// a call does not grow with their number. Functions of libraries have it.
inline constexpr std::string_view kTileTime = ",tile-time";

/// To be appended to either, for recurrences  a_t h + b_t  of few elements: their steps run side by side. It
/// changes the order of sums, so that `run` is then no more to the bit what N steps are.
inline constexpr std::string_view kLinear = ",linear-scan,hoist-scan,simplify";

struct RunOptions {
  /// Each stage is dumped to <dump_dir>/<function>/ ("00-input.rondo", "03-grad.rondo"); empty: RONDO_DUMP.
  std::string dump_dir;
  /// Sees each stage, "input" first, then the passes.
  std::function<void(std::string_view stage, const ir::Func&)> observe = {};
};

/// Runs a pipeline ("simplify,grad{wrt=w},hoist-scan"). Verifies before the first pass and after each. The
/// environment adds: RONDO_TIME=1 prints the time of each pass, RONDO_DUMP=dir dumps, RONDO_SKIP=pass leaves
/// a pass out, RONDO_CHECK=1 evaluates before and after each pass on random inputs and throws InternalError
/// naming the pass when they differ. Throws Error for an unknown pass or option.
ir::Func run_pipeline(const ir::Func& func, std::string_view pipeline, const RunOptions& options = {});

}  // namespace rondo::passes
