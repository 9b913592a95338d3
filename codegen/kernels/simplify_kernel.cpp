#include "codegen/kernels/simplify_kernel.h"

#include <algorithm>

namespace rondo::codegen {

using namespace ir;

namespace {

using Visit = std::function<void(Access&)>;

void visit_nodes(Nodes& nodes, const Visit& visit) {
  for (Node& n : nodes)
    if (n.op == ScalarOp::load || n.op == ScalarOp::index) visit(n.access);
}

/// Variable `variable` of extent `extent` goes, or merges with the one after it.
void remove_variable(Access& a, size_t variable) {
  if (variable < a.strides.size()) a.strides.erase(a.strides.begin() + static_cast<int64_t>(variable));
}

bool merges(const Access& a, size_t variable, const Poly& inner_extent) {
  auto stride = [&](size_t v) { return v < a.strides.size() ? a.strides[v] : Poly(); };
  return stride(variable) == stride(variable + 1) * inner_extent;
}

/// Merges dims[0, end); their variables start at `first`.
void merge(std::vector<Poly>& dims, size_t end, size_t first,
           const std::function<void(const Visit&)>& accesses) {
  auto erase = [&](size_t i) {
    accesses([&](Access& a) { remove_variable(a, first + i); });
    dims.erase(dims.begin() + static_cast<int64_t>(i));
    --end;
  };
  for (size_t i = end; i-- > 0;)
    if (dims[i] == Poly(1)) erase(i);
  for (size_t i = end; i-- > 1;) {
    bool fits = true;
    accesses([&](Access& a) { fits &= merges(a, first + i - 1, dims[i]); });
    if (!fits) continue;
    dims[i] = dims[i - 1] * dims[i];
    erase(i - 1);
  }
}

}  // namespace

void visit_accesses(Kernel& kernel, const std::function<void(Access&)>& visit) {
  visit_nodes(kernel.nodes, visit);
  for (Store& s : kernel.stores) visit(s.access);
  for (Accumulator& a : kernel.accs) visit_nodes(a.nodes, visit);
}

Kernel merge_dims(const Kernel& original, bool keep_last) {
  Kernel kernel = original;
  size_t end = kernel.dims.size() - (keep_last && !kernel.dims.empty() ? 1 : 0);
  merge(kernel.dims, end, 0, [&](const Visit& visit) { visit_accesses(kernel, visit); });
  // Accumulators with the same dims keep the same dims.
  for (size_t first = 0; first < kernel.accs.size(); ++first) {
    std::vector<Accumulator*> alike;
    for (size_t i = 0; i < kernel.accs.size(); ++i)
      if (original.accs[i].dims == original.accs[first].dims) alike.push_back(&kernel.accs[i]);
    if (alike.front() != &kernel.accs[first]) continue;
    std::vector<Poly> dims = kernel.accs[first].dims;
    // The lanes of a sum count along its last dim.
    bool lanes = std::ranges::any_of(alike, [](const Accumulator* a) { return a->order == SumOrder::lanes; });
    merge(dims, dims.size() - (lanes ? 1 : 0), kernel.dims.size(), [&](const Visit& visit) {
      for (Accumulator* a : alike) visit_nodes(a->nodes, visit);
    });
    for (Accumulator* a : alike) a->dims = dims;
  }
  return kernel;
}

Kernel move_dim_last(const Kernel& original, size_t dim) {
  Kernel kernel = original;
  size_t rank = kernel.dims.size();
  auto move = [&](std::vector<Poly>& v) {
    v.resize(std::max(v.size(), rank));
    std::rotate(v.begin() + static_cast<int64_t>(dim), v.begin() + static_cast<int64_t>(dim) + 1,
                v.begin() + static_cast<int64_t>(rank));
  };
  visit_accesses(kernel, [&](Access& a) { move(a.strides); });
  move(kernel.dims);
  return kernel;
}

size_t best_lane_dim(const Kernel& original) {
  Kernel kernel = original;
  std::vector<int> scores(kernel.dims.size(), 0);
  for (size_t d = 0; d < scores.size(); ++d) {
    auto rate = [&](const Access& a, int weight) {
      Poly stride = d < a.strides.size() ? a.strides[d] : Poly();
      scores[d] += stride == Poly(1) ? 0 : stride.is_zero() ? -1 : -4 * weight;
    };
    auto rate_loads = [&](Nodes& nodes, int weight) {
      for (Node& n : nodes)
        if (n.op == ScalarOp::load) rate(n.access, weight);
    };
    rate_loads(kernel.nodes, 1);
    for (Accumulator& a : kernel.accs) rate_loads(a.nodes, 2);
    for (Store& s : kernel.stores) {
      rate(s.access, 2);
      if (d >= s.access.strides.size() || s.access.strides[d].is_zero()) scores[d] -= 16;
    }
    if (kernel.dims[d].is_constant() && kernel.dims[d].constant() < 4) scores[d] -= 4;
  }
  size_t best = scores.size() - 1;
  for (size_t d = best; d-- > 0;)
    if (scores[d] > scores[best]) best = d;
  return best;
}

}  // namespace rondo::codegen
