// Nodes whose inputs are constants: they are traced as functions of their own, which the evaluator runs.
#include <algorithm>

#include <fmt/format.h>

#include "frontend/import/onnx_importer.h"
#include "frontend/region.h"
#include "ir/evaluator.h"
#include "support/error.h"

namespace rondo::onnx {

/// Takes the elements of all values from the budget, unless there are too many.
bool Importer::within_budget(const ir::Func& func) {
  int64_t left = budget_;
  for (const ir::Func::ValueInfo& value : func.values) {
    int64_t count = 1;
    for (const ir::Dim& dim : value.type.shape) {
      if (dim.is_named()) return false;
      count *= dim.size();  // the type rules bound the product
    }
    left -= count;
    if (left < 0) return false;
  }
  budget_ = left;
  return true;
}

/// The node's results, if its inputs are constants and its results are of moderate size.
std::optional<std::vector<Value>> Importer::fold(const Node& node, const OpEntry& op, const Scope& scope,
                                                 Where where) {
  Call call(*this, node, scope, where);
  if (!call.all_constant()) return std::nullopt;
  for (size_t i = 0; op.folds == OpEntry::always && i < call.inputs(); ++i) {
    const ir::Array* array = call.constant(i);
    if (!array || array->dtype != i32) continue;
    if (has_names(*array)) return std::nullopt;
    for (double v : array->data)
      if (v < -0x1p31 || v >= 0x1p31) call.fail(fmt::format("the integer {} has more than 32 bits", v));
  }

  std::vector<Value> results;
  std::vector<Constant> inputs;
  std::vector<size_t> computed;  // which of the results are tensors
  const Region::Apart apart;
  const Function function("constants", constants_.dtype(), [&](Trace& t) {
    Fold fold{t, {}, {}};
    fold_ = &fold;
    op.emit(call);
    fold_ = nullptr;
    results = std::move(call).results();
    for (size_t i = 0; i < results.size(); ++i) {
      if (!std::holds_alternative<Tensor>(results[i])) continue;
      computed.push_back(i);
      t.output(std::to_string(i), std::get<Tensor>(results[i]));
    }
    inputs = std::move(fold.inputs);
  });
  call.check_attributes();
  if (computed.empty()) return results;
  if (!within_budget(function.func)) return std::nullopt;
  std::vector<const ir::Array*> arrays;
  for (const Constant& input : inputs) arrays.push_back(input.get());
  std::vector<ir::Array> values = ir::evaluate(function.func, arrays);
  for (size_t i = 0; i < computed.size(); ++i)
    results[computed[i]] = std::make_shared<const ir::Array>(std::move(values[i]));
  return results;
}

}  // namespace rondo::onnx
