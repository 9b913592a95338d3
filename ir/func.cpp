#include "ir/func.h"

#include <algorithm>
#include <functional>

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

int64_t ScanView::window_axis(Value v) const {
  const Shape& shape = body.type(v).shape;
  const auto at = std::ranges::find(shape, op.attrs.window);
  return windows() && at != shape.end() ? at - shape.begin() : -1;
}

Dim trip_count(const Func& func, const Op& scan) {
  ScanView s(scan);
  if (s.windows()) return quotient(scan.attrs.dim, scan.attrs.longest);
  return s.xs ? func.type(s.x(0)).shape.at(0) : scan.attrs.dim;
}

namespace {

/// `bound` are names that the scans around func bind.
void collect(const Func& func, const std::vector<std::string>& bound, std::vector<std::string>& names) {
  auto contains = [](const std::vector<std::string>& all, const std::string& name) {
    return std::find(all.begin(), all.end(), name) != all.end();
  };
  std::function<void(const Dim&)> note = [&](const Dim& d) {
    if (const auto parts = quotient_parts(d)) {
      note(parts->first);
      note(parts->second);
    } else if (d.is_named() && !contains(bound, d.name()) && !contains(names, d.name())) {
      names.push_back(d.name());
    }
  };
  for (const auto& value : func.values)
    for (const Dim& d : value.type.shape) note(d);
  for (const Op& op : func.ops) {
    note(op.attrs.dim);
    note(op.attrs.longest);
    if (!op.body) continue;
    std::vector<std::string> inside = bound;
    if (op.attrs.window.is_named()) inside.push_back(op.attrs.window.name());
    collect(*op.body, inside, names);
  }
}

}  // namespace

std::vector<std::string> named_dims(const Func& func) {
  std::vector<std::string> names;
  collect(func, {}, names);
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
