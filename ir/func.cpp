#include "ir/func.h"

#include <algorithm>

#include "support/error.h"

namespace rondo::ir {

ScanView::ScanView(const Op& op)
    : op(op),
      body(*op.body),
      consts(op.attrs.consts),
      carries(op.attrs.carries),
      xs(static_cast<uint32_t>(op.operands.size()) - consts - carries - op.attrs.lengths),
      ys(static_cast<uint32_t>(op.body->results.size()) - carries) {
  RONDO_CHECK(op.kind == OpKind::scan, "not a scan");
}

Dim trip_count(const Func& func, const Op& scan) {
  ScanView s(scan);
  return s.xs ? func.type(s.x(0)).shape.at(0) : scan.attrs.dim;
}

namespace {

void collect(const Func& func, std::vector<std::string>& names) {
  auto note = [&](const Dim& d) {
    if (d.is_named() && std::find(names.begin(), names.end(), d.name()) == names.end())
      names.push_back(d.name());
  };
  for (const auto& value : func.values)
    for (const Dim& d : value.type.shape) note(d);
  for (const Op& op : func.ops) {
    note(op.attrs.dim);
    if (op.body) collect(*op.body, names);
  }
}

}  // namespace

std::vector<std::string> named_dims(const Func& func) {
  std::vector<std::string> names;
  collect(func, names);
  return names;
}

std::vector<uint32_t> use_counts(const Func& func) {
  std::vector<uint32_t> counts(func.values.size());
  for (const Op& op : func.ops)
    for (Value v : op.operands) ++counts[v.id];
  for (Value v : func.results) ++counts[v.id];
  return counts;
}

}  // namespace rondo::ir
