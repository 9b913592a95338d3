#include "ir/op_def.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "ir/ops/ops.h"
#include "support/error.h"

namespace rondo::ir {
namespace {

/// The OpDef of every kind, by kind.
std::array<const OpDef*, kOpCount> make_table() {
  std::array<const OpDef*, kOpCount> table{};
  auto add = [&](const auto& family) {
    for (const OpDef& def : family) {
      const OpDef*& place = table[static_cast<size_t>(def.kind)];
      RONDO_CHECK(!place, fmt::format("op {} is defined twice", def.name));
      place = &def;
    }
  };
  add(leaf_ops());
  add(elementwise_ops());
  add(movement_ops());
  add(indexed_ops());
  add(contraction_ops());
  add(scan_ops());
  return table;  // complete: no kind twice, and as many as there are kinds
}

const std::array<const OpDef*, kOpCount>& table() {
  static const auto ops = make_table();
  return ops;
}

std::map<std::string_view, const OpDef*> by_name() {
  std::map<std::string_view, const OpDef*> names;
  for (const OpDef* def : table()) names.emplace(def->name, def);
  return names;
}

}  // namespace

void AllSteps::stack_all() {
  std::fill(stacked.begin(), stacked.end(), 1);
  ++attrs.axis;
  for (int64_t& axis : attrs.axes) ++axis;
  attrs.type.shape.insert(attrs.type.shape.begin(), steps);
}

const OpDef& def_of(OpKind kind) { return *table()[static_cast<size_t>(kind)]; }

const OpDef* find_op(std::string_view name) {
  static const auto names = by_name();
  auto it = names.find(name);
  return it == names.end() ? nullptr : it->second;
}

}  // namespace rondo::ir
