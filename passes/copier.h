// What every pass that copies a function op by op shares.
#pragma once

#include <utility>
#include <vector>

#include "ir/builder.h"

namespace rondo::passes {

/// Values of a source function as values of a builder.
class ValueMap {
 public:
  explicit ValueMap(const ir::Func& source) : source_(source), map_(source.values.size()) {}

  ir::Value& operator[](ir::Value v) { return map_[v.id]; }
  ir::Value operator[](ir::Value v) const { return map_[v.id]; }

  std::vector<ir::Value> of(const std::vector<ir::Value>& values) const {
    std::vector<ir::Value> out;
    out.reserve(values.size());
    for (ir::Value v : values) out.push_back(map_[v.id]);
    return out;
  }
  std::vector<ir::Value> operands(const ir::Op& op) const { return of(op.operands); }
  void set_results(const ir::Op& op, const std::vector<ir::Value>& results) {
    for (uint32_t i = 0; i < op.result_count; ++i) map_[op.result(i).id] = results[i];
  }
  /// Emits a copy of the op over the values its operands have become.
  void copy(ir::Builder& b, const ir::Op& op) { set_results(op, b.copy(source_, op, operands(op))); }

 private:
  const ir::Func& source_;
  std::vector<ir::Value> map_;
};

/// Copies func: its params, then what emit(builder, map, op) makes of each op (it must set the op's results),
/// then its results.
template <class Emit>
ir::Func rebuild(const ir::Func& func, Emit emit) {
  ir::Builder b(func.name);
  ValueMap map(func);
  for (ir::Value v : func.params) map[v] = b.param(func.type(v), func.value_name(v));
  for (const ir::Op& op : func.ops) emit(b, map, op);
  return std::move(b).finish(map.of(func.results));
}

}  // namespace rondo::passes
