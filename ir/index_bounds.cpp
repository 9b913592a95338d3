#include "ir/index_bounds.h"

#include <algorithm>

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
    auto of = [&](size_t operand) { return source[op.operands[operand].id]; };
    uint32_t& result = source[op.result().id];
    switch (op.kind) {
      case OpKind::reshape:
      case OpKind::transpose:
      case OpKind::broadcast:
      case OpKind::slice:
      case OpKind::pad: result = of(0); break;
      case OpKind::in_range: note(result = of(0), Poly(op.attrs.dim) + Poly(op.attrs.hi), op.attrs.lo); break;
      case OpKind::gather:
        note(of(1), Poly(func.type(op.operands[0]).shape[0]));
        result = of(0);
        break;
      case OpKind::scatter: note(of(1), Poly(func.type(op.operands[0]).shape[0])); break;
      case OpKind::sum_repeated: note(of(0), Poly(op.attrs.dim)); break;
      case OpKind::scatter_add: note(of(0), Poly(op.attrs.type.shape[0])); break;
      case OpKind::scan: {
        const ScanView scan(op);
        Sources params;
        for (size_t i = 0; i < scan.body.params.size(); ++i)
          params.push_back(i < scan.consts || i >= scan.consts + scan.carries ? of(i) : kNone);
        const Sources results = walk(scan.body, params);
        for (uint32_t i = 0; i < scan.ys; ++i) source[scan.y(i).id] = results[scan.carries + i];
        break;
      }
      default: break;
    }
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
