#include "codegen/loops/row_mask.h"

#include <algorithm>
#include <optional>

#include "codegen/kernels/fold_kernel.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// The access with the step as variable 0 and the row as variable 1, if nothing else moves it.
std::optional<Access> over_step_and_row(const Access& from, const StepAndRow& at) {
  if (from.row != kNone) return std::nullopt;
  Access a = from;
  a.strides = {Poly(), stride_of(from, at.row)};
  if (at.loop == kNone) a.strides[0] = stride_of(from, at.step);
  for (size_t v = 0; v < from.strides.size(); ++v)
    if (v != at.row && (at.loop != kNone || v != at.step) && !from.strides[v].is_zero()) return std::nullopt;
  a.outer.clear();
  for (const auto& [loop, stride] : from.outer) {
    if (stride.is_zero()) continue;
    if (loop != at.loop) return std::nullopt;
    a.strides[0] += stride;
  }
  return a;
}

using Copies = std::map<BufferId, BufferId>;

/// The expression of node `id` over step and row: only its own nodes, the last of which it is, on inputs
/// rather than copies of them.
std::optional<Nodes> expression(const Nodes& nodes, NodeId id, const StepAndRow& at, const Copies& copies) {
  Nodes own(nodes.begin(), nodes.begin() + id + 1);
  prune_nodes(own, {id});
  for (Node& n : own) {
    if (n.op == ScalarOp::acc || n.op == ScalarOp::random) return std::nullopt;
    if (n.op != ScalarOp::load && n.op != ScalarOp::index) continue;
    auto access = over_step_and_row(n.access, at);
    if (!access) return std::nullopt;
    n.access = std::move(*access);
    if (auto copy = copies.find(n.access.buffer); copy != copies.end()) n.access.buffer = copy->second;
  }
  return own;
}

/// `step < f(row)`?
bool is_mask(const Nodes& nodes) {
  const Node& less = nodes.back();
  if (less.op != ScalarOp::less) return false;
  const Node& step = nodes[less.args[0]];
  if (step.op != ScalarOp::index || !(step.access.strides == std::vector<Poly>{1, 0}) ||
      !step.access.offset.is_zero())
    return false;
  return std::ranges::all_of(nodes, [&](const Node& n) {
    return &n == &step || (n.op != ScalarOp::load && n.op != ScalarOp::index) ||
           n.access.strides[0].is_zero();
  });
}

/// The mask that a kernel stores as a whole, row-major tensor.
std::optional<RowMask> stored_mask(const Kernel& kernel, const Store& store, const Copies& copies) {
  if (kernel.dims.size() != 2 || store.ordered()) return std::nullopt;
  const StepAndRow at{kNone, 0, 1};
  auto nodes = expression(kernel.nodes, store.value, at, copies);
  if (!nodes || !is_mask(*nodes)) return std::nullopt;
  const Access& to = store.access;
  if (to.row != kNone || !to.offset.is_zero() || !(to.strides == std::vector<Poly>{kernel.dims[1], 1}))
    return std::nullopt;
  return RowMask{kernel.dims[0], kernel.dims[1], std::move(*nodes), {to.buffer}, copies};
}

void count_stores(const std::vector<Stmt>& stmts, std::map<BufferId, int>& stores) {
  for (const Stmt& s : stmts) {
    if (s.kernel)
      for (const Store& store : s.kernel->stores) ++stores[store.access.buffer];
    if (s.loop) count_stores(s.loop->body, stores);
  }
}

/// Buffers that one kernel writes, element by element as they are in an input.
Copies copies_of_inputs(const LoopProgram& program) {
  std::map<BufferId, int> stores;
  count_stores(program.stmts, stores);
  Copies copies;
  for (const Stmt& s : program.stmts) {
    if (!s.kernel) continue;
    for (const Store& store : s.kernel->stores) {
      const Node& value = s.kernel->nodes[store.value];
      if (value.op != ScalarOp::load || stores[store.access.buffer] != 1) continue;
      Access from = value.access;
      if (program.buffers[from.buffer].kind != Buffer::Kind::input) continue;
      from.buffer = store.access.buffer;
      if (from == store.access) copies[store.access.buffer] = value.access.buffer;
    }
  }
  return copies;
}

}  // namespace

std::vector<RowMask> find_masks(const LoopProgram& program) {
  std::vector<RowMask> masks;
  const Copies copies = copies_of_inputs(program);
  for (const Stmt& s : program.stmts) {
    if (!s.kernel) continue;
    for (const Store& store : s.kernel->stores) {
      auto mask = stored_mask(*s.kernel, store, copies);
      // One row is not worth it, and its strides do not tell steps from rows.
      if (!mask || mask->rows == Poly(1)) continue;
      auto same = std::ranges::find_if(masks, [&](const RowMask& m) {
        return m.nodes == mask->nodes && m.steps == mask->steps && m.rows == mask->rows;
      });
      if (same == masks.end())
        masks.push_back(std::move(*mask));
      else
        same->buffers.push_back(mask->buffers[0]);
    }
  }
  return masks;
}

bool computes_mask(const RowMask& mask, const Nodes& nodes, NodeId id, const StepAndRow& at) {
  if (nodes[id].op != ScalarOp::less) return false;
  auto own = expression(nodes, id, at, mask.copies);
  return own && *own == mask.nodes;
}

}  // namespace rondo::codegen
