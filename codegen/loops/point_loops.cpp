#include "codegen/loops/point_loops.h"

#include <algorithm>

namespace rondo::codegen {

using namespace ir;

namespace {

/// By how much an access moves from one step of the loop to the next.
Poly step_of(const Access& access, const Loop& loop) {
  Poly stride;
  for (const auto& [id, s] : access.outer)
    if (id == loop.id) stride += s;
  return loop.reverse ? Poly() - stride : stride;
}

/// Whether `load` reads what `store` wrote one step before.
bool reads_previous(const Access& load, const Access& store, const Loop& loop) {
  Access before = store;
  before.offset = before.offset - step_of(store, loop);
  return load == before;
}

/// Whether a point reads what it writes over at the same step. Buffers that stand in one another have such
/// elements (nest_buffers.h), each for one point of one step.
bool is_written_over(const Access& load, const Kernel& kernel) {
  return std::ranges::any_of(kernel.stores, [&](const Store& s) { return s.access == load; });
}

}  // namespace

std::optional<std::vector<Carried>> carried_elements(const Loop& loop) {
  if (loop.body.size() != 1 || !loop.body[0].kernel) return std::nullopt;
  const Kernel& kernel = *loop.body[0].kernel;
  if (!kernel.accs.empty()) return std::nullopt;
  std::vector<Carried> carried;
  for (size_t s = 0; s < kernel.stores.size(); ++s) {
    const Access& to = kernel.stores[s].access;
    if (kernel.stores[s].ordered() || to.row != kNone) return std::nullopt;
    Carried c{s, {}, !step_of(to, loop).is_zero()};
    for (NodeId n = 0; n < kernel.nodes.size(); ++n) {
      const Node& load = kernel.nodes[n];
      if (load.op != ScalarOp::load || load.access.buffer != to.buffer) continue;
      if (reads_previous(load.access, to, loop))
        c.loads.push_back(n);
      else if (!is_written_over(load.access, kernel))
        return std::nullopt;
    }
    if (c.loads.empty()) continue;
    const auto into = std::ranges::count_if(
        kernel.stores, [&](const Store& other) { return other.access.buffer == to.buffer; });
    if (into > 1) return std::nullopt;
    carried.push_back(std::move(c));
  }
  return carried;
}

namespace {

/// For each node whether it depends on a carried element.
std::vector<char> depends_on_carried(const Nodes& nodes, const std::vector<Carried>& carried) {
  std::vector<char> depends(nodes.size());
  for (const Carried& c : carried)
    for (NodeId n : c.loads) depends[n] = true;
  for (NodeId n = 0; n < nodes.size(); ++n) {
    for (NodeId arg : nodes[n].args) depends[n] = depends[n] || depends[arg];
    if (nodes[n].op == ScalarOp::load && nodes[n].access.row != kNone)
      depends[n] = depends[n] || depends[nodes[n].access.row];
  }
  return depends;
}

/// Splits `n`, an op of two args of which one is `wanted` and the other does not depend on what is carried.
template <class Wanted>
std::optional<NodeId> other_arg(const Node& n, const std::vector<char>& depends, Wanted wanted) {
  for (size_t k : {0, 1})
    if (wanted(n.args[k]) && !depends[n.args[1 - k]]) return n.args[1 - k];
  return std::nullopt;
}

std::optional<LinearStep> linear_step(const Kernel& kernel, const Carried& c,
                                      const std::vector<char>& depends) {
  auto is_carried = [&](NodeId n) { return std::ranges::find(c.loads, n) != c.loads.end(); };
  auto is_scaled = [&](NodeId n) {
    return kernel.nodes[n].op == ScalarOp::mul && other_arg(kernel.nodes[n], depends, is_carried);
  };
  LinearStep step;
  NodeId value = kernel.stores[c.store].value;
  if (kernel.nodes[value].op == ScalarOp::add) {
    const Node& sum = kernel.nodes[value];
    const auto b = other_arg(sum, depends, [&](NodeId n) { return is_carried(n) || is_scaled(n); });
    if (!b) return std::nullopt;
    step.b = *b;
    value = sum.args[0] == *b ? sum.args[1] : sum.args[0];
  }
  if (is_scaled(value))
    step.a = *other_arg(kernel.nodes[value], depends, is_carried);
  else if (!is_carried(value))
    return std::nullopt;
  return step;
}

}  // namespace

std::optional<std::vector<LinearStep>> linear_steps(const Loop& loop) {
  const auto carried = carried_elements(loop);
  if (!carried || carried->empty()) return std::nullopt;
  const Kernel& kernel = *loop.body[0].kernel;
  const std::vector<char> depends = depends_on_carried(kernel.nodes, *carried);
  std::vector<LinearStep> steps;
  for (const Carried& c : *carried) {
    const auto step = linear_step(kernel, c, depends);
    if (!step || !is_float(kernel.nodes[kernel.stores[c.store].value].dtype)) return std::nullopt;
    steps.push_back(*step);
  }
  return steps;
}

}  // namespace rondo::codegen
