#include "frontend/stash_plan.h"

#include <fmt/format.h>

#include <vector>

#include "codegen/stash_budget.h"
#include "support/error.h"

namespace rondo {

StashPlan stash_plan(const Program& program) {
  const codegen::StashBudget* budget = codegen::stash_budget_of(program.executable());
  const Signature& signature = program.signature();
  if (!budget) throw Error(fmt::format("rondo: {} was compiled without stash_bytes", signature.name));
  std::vector<int64_t> dims;
  ir::DimValues named;
  for (const std::string& name : signature.dims) dims.push_back(named[name] = program.dim(name));
  const std::optional<codegen::StashChoice> choice = codegen::choose_stash(*budget, dims.data());
  RONDO_CHECK(choice, "a program has the dims of a call that fits");
  StashPlan plan{choice->longest, choice->bytes, choice->whole_bytes};
  if (plan.window == 0) return plan;
  named[budget->longest] = plan.window;
  const int64_t whole = budget->whole_work.evaluate(named);
  if (whole > 0)
    plan.work = static_cast<double>(budget->windows_work.evaluate(named)) / static_cast<double>(whole);
  return plan;
}

std::string to_string(const StashPlan& plan) {
  constexpr double kMega = 1e6;
  if (plan.window == 0)
    return fmt::format("all steps at once: {:.1f} MB", static_cast<double>(plan.bytes) / kMega);
  return fmt::format("windows of {} steps: {:.1f} MB instead of {:.1f} MB, {:.2f} times the multiply-adds",
                     plan.window, static_cast<double>(plan.bytes) / kMega,
                     static_cast<double>(plan.whole_bytes) / kMega, plan.work);
}

}  // namespace rondo
