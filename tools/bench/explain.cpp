#include "tools/bench/explain.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "codegen/compile.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tools/bench/measure.h"
#include "tools/bench/sampler.h"

namespace rondo::bench {
namespace {

/// The kernel whose code a function is. LLVM numbers later functions of one name; what fills no whole tile
/// has a function of its own.
KernelTime* kernel_of(std::string function, std::vector<KernelTime>& kernels) {
  auto find = [&] {
    auto found = std::ranges::find_if(kernels, [&](const KernelTime& k) { return k.limit.name == function; });
    return found == kernels.end() ? nullptr : &*found;
  };
  auto drop_end = [&](bool is_end) {
    if (is_end) function.resize(function.rfind('.'));
    return is_end;
  };
  auto numbered = [&] {
    const size_t dot = function.rfind('.');
    return dot != function.npos && dot + 1 < function.size() &&
           std::all_of(function.begin() + static_cast<std::ptrdiff_t>(dot) + 1, function.end(), ::isdigit);
  };
  if (KernelTime* k = find()) return k;
  if (drop_end(numbered()))
    if (KernelTime* k = find()) return k;
  return drop_end(function.ends_with(".finish")) ? find() : nullptr;
}

}  // namespace

Explanation explain(const Spec& spec, double seconds, const std::string& folder) {
  setenv("RONDO_CACHE", "off", 1);  // what comes from the cache leaves no assembly
  // A step is measured as it is. Kernels of longer calls are functions that samples tell apart.
  if (spec.mode != Mode::stream) setenv("RONDO_SKIP", "inline", 0);
  const Built built = build(spec);
  const Function& function = built.function;
  BuildOptions options = build_options(spec);
  options.dump_dir = folder;
  const ir::Func func =
      passes::run_pipeline(passes::bind_dims(function.func, options.dims), function.pipeline);
  const codegen::CompileOptions how = code_options(function, func, options);
  const auto object =
      std::make_shared<SharedObject>(codegen::compile(func, how), folder + "/" + func.name + "/32.s");
  Program program(object, built.weights, binding_of(function));
  if (spec.mode != Mode::stream) program.resize({{"T", spec.steps}});
  for (const auto& [name, value] : function.defaults) program.set_scalar(name, value);
  fill_inputs(program, spec);

  const codegen::Target target = codegen::target_for(spec.cpu);
  const Rates rates = measured_rates(target);
  Explanation e;
  e.peak_gflops = 2 / rates.multiply_add * 1e-9;
  for (KernelLimit& l :
       limits_of(codegen::lower(func, how), target, {{"T", spec.steps}, {"B", spec.batch}}, rates))
    e.kernels.push_back({std::move(l)});
  const Samples samples = sample(program, *object, seconds);
  e.seconds = samples.seconds;
  for (const auto& [name, share] : samples.shares) {
    KernelTime* kernel = kernel_of(name, e.kernels);
    (kernel ? kernel->seconds : e.elsewhere) += share * samples.seconds;
  }
  return e;
}

}  // namespace rondo::bench
