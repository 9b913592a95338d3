#include "ir/index_bounds.h"

#include <algorithm>

#include "ir/op_def.h"

namespace rondo::ir {
namespace {

/// For each value the input whose elements its elements are (zeros of a pad apart, which are in every range),
/// or kNone.
using Sources = std::vector<uint32_t>;

class Collector {
 public:
  explicit Collector(std::vector<IndexBound>& bounds) : bounds_(bounds) {}

  /// Of the function's params; returns those of its results.
  Sources walk(const Func& func, const Sources& params) {
    Sources source(func.values.size(), kNone);
    for (size_t i = 0; i < params.size(); ++i) source[func.params[i].id] = params[i];
    for (const Op& op : func.ops) visit(func, op, source);
    Sources results;
    for (Value v : func.results) results.push_back(source[v.id]);
    return results;
  }

 private:
  void visit(const Func& func, const Op& op, Sources& source) {
    const OpDef& def = def_of(op.kind);
    auto of = [&](size_t operand) { return source[op.operands[operand].id]; };
    if (def.ids) {
      const IdRange range = def.ids(func, op);
      note(of(range.operand), Poly(range.dim) + Poly(range.more), range.low);
    }
    if (def.elements_of >= 0) source[op.result().id] = of(static_cast<size_t>(def.elements_of));
    if (op.kind == OpKind::scan) visit_body(ScanView(op), source);
  }

  void visit_body(const ScanView& scan, Sources& source) {
    Sources params;
    for (size_t i = 0; i < scan.body.params.size(); ++i) {
      const bool carry = i >= scan.consts && i < scan.consts + scan.carries;
      params.push_back(carry ? kNone : source[scan.op.operands[i].id]);
    }
    const Sources results = walk(scan.body, params);
    for (uint32_t i = 0; i < scan.ys; ++i) source[scan.y(i).id] = results[scan.carries + i];
  }

  void note(uint32_t input, Poly bound, int64_t low = 0) {
    if (input == kNone) return;
    auto same = [&](const IndexBound& b) { return b.input == input && b.bound == bound && b.low == low; };
    if (std::none_of(bounds_.begin(), bounds_.end(), same)) bounds_.push_back({input, std::move(bound), low});
  }

  std::vector<IndexBound>& bounds_;
};

}  // namespace

std::vector<IndexBound> index_bounds(const Func& func) {
  std::vector<IndexBound> bounds;
  Sources inputs;
  for (uint32_t i = 0; i < func.params.size(); ++i) inputs.push_back(i);
  Collector(bounds).walk(func, inputs);
  return bounds;
}

}  // namespace rondo::ir
