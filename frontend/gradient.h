// From a function with a loss: its gradients, and its training step.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "frontend/function.h"
#include "frontend/optimizers.h"
#include "passes/pipeline.h"

namespace rondo {

struct GradientOptions {
  std::string loss = "loss";          // an output, a scalar
  std::vector<std::string> wrt = {};  // parameters and inputs; none: all parameters
  std::string_view pipeline = passes::kTraining;
  /// How many bytes may be kept of all steps of named numbers of steps (scratch memory that grows with them);
  /// 0: no limit. Calls that would take more run in windows of steps, of which no more than the state at
  /// their start is kept: the gradient computes the steps of a window again. Gradients of inputs and states
  /// are the same to the bit; losses and gradients of parameters are sums of windows' sums then.
  int64_t stash_bytes = 0;
};

/// The function's outputs, and d_<name> for each parameter and input in `wrt`: the gradient of the loss.
/// Where the state is not named there, gradients end where the call begins. Runs the pipeline up to its pass
/// `grad`; compile runs the rest.
Function gradient(const Function& function, const GradientOptions& options = {});

namespace detail {

/// An optimizer without its types.
struct UpdateRule {
  double lr, clip_norm, clip_value;
  size_t slots, shared;  // how many tensors it keeps for each parameter, and scalars in all
  std::function<std::vector<Tensor>(const std::vector<Tensor>& shared)> advance;
  /// The new parameter, and its new slots in place.
  std::function<Tensor(Tensor w, Tensor g, Tensor lr, std::vector<Tensor>& slots,
                       const std::vector<Tensor>& shared)>
      update;
};
Function training_function(const Function& function, const UpdateRule& rule, const GradientOptions& options);

}  // namespace detail

/// One update: forward, backward, clipping (by value, then by the global norm), and the optimizer's rule,
/// which changes the parameters in place. The function has a scalar output "loss"; gradients are by all
/// parameters. Adds the input "lr", which starts as the optimizer's.
template <Optimizer O>
Function training_function(const Function& function, const O& o, const GradientOptions& options = {}) {
  const auto slots = o.slots();
  const auto shared = o.shared();
  detail::UpdateRule rule{
      o.lr, o.clip_norm, o.clip_value, tensors_of(slots).size(), tensors_of(shared).size(), {}, {}};
  rule.advance = [=](const std::vector<Tensor>& scalars) {
    return tensors_of(o.advance(with_tensors(shared, scalars)));
  };
  rule.update = [=](Tensor w, Tensor g, Tensor lr, std::vector<Tensor>& tensors,
                    const std::vector<Tensor>& scalars) {
    auto mine = with_tensors(slots, tensors);
    Tensor next = o(w, g, lr, mine, with_tensors(shared, scalars));
    tensors = tensors_of(mine);
    return next;
  };
  return detail::training_function(function, rule, options);
}

}  // namespace rondo
