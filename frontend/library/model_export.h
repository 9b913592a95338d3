// What a model file for rondo_add_library (cmake/) ends with: RONDO_EXPORT, which makes of it a program that
// writes the library.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "frontend/gradient.h"
#include "frontend/programs.h"

namespace rondo {

/// A model and its functions by name, traced when asked for.
struct ModelExport {
  std::shared_ptr<const Model> model;
  std::map<std::string, std::function<Function()>> functions;
};

/// A model whose step takes x: step and run, and generate if it reads ids.
template <class M>
ModelExport export_model(const StepInput& x = {}) {
  auto model = std::make_shared<const M>();
  ModelExport e{model, {}};
  e.functions["step"] = [=] { return step_function(*model, x); };
  e.functions["run"] = [=] { return run_function(*model, x); };
  if constexpr (requires(const M& m, Tensor t) { Tensor(m.step(m.initial("B"), t).second); })
    if (x.dtype == DType::i32) e.functions["generate"] = [=] { return generate_function(*model); };
  return e;
}

/// The same, and loss(y, target) and train_step.
template <class M, class Loss, Optimizer O>
ModelExport export_model(const StepInput& x, const StepInput& target, Loss loss, const O& optimizer) {
  ModelExport e = export_model<M>(x);
  auto model = std::static_pointer_cast<const M>(e.model);
  e.functions["loss"] = [=] { return loss_function(*model, x, target, loss); };
  e.functions["train_step"] = [=] {
    Function f = training_function(loss_function(*model, x, target, loss), optimizer);
    f.func.name = "train_step";
    return f;
  };
  return e;
}

/// Writes the library that the command line describes; --help tells. Without --functions: step and run.
/// Returns the exit code.
int export_main(int argc, char** argv, const ModelExport& model);

}  // namespace rondo

/// RONDO_EXPORT(Amp, StepInput{f32, {1}}), or with target, loss and optimizer: see export_model.
#define RONDO_EXPORT(Model, ...)                                      \
  int main(int argc, char** argv) {                                   \
    using namespace ::rondo;                                          \
    return export_main(argc, argv, export_model<Model>(__VA_ARGS__)); \
  }
