#include "codegen/merge_sums.h"

#include <algorithm>
#include <set>

#include "codegen/schedule_gemm.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Sums of one walk: each has its registers.
constexpr size_t kMostSums = 4;

std::set<BufferId> buffers_read(const Kernel& kernel) {
  std::set<BufferId> buffers;
  auto read = [&](const Nodes& nodes) {
    for (const Node& n : nodes)
      if (n.op == ScalarOp::load) buffers.insert(n.access.buffer);
  };
  read(kernel.nodes);
  for (const Accumulator& acc : kernel.accs) read(acc.nodes);
  return buffers;
}

std::set<BufferId> buffers_written(const Kernel& kernel) {
  std::set<BufferId> buffers;
  for (const Store& s : kernel.stores) buffers.insert(s.access.buffer);
  return buffers;
}

bool share(const std::set<BufferId>& a, const std::set<BufferId>& b) {
  return std::ranges::any_of(a, [&](BufferId id) { return b.contains(id); });
}

/// Whether the kernel is sums over the same dims, all chains or all in lanes.
bool is_sums(const Kernel& kernel) {
  if (kernel.accs.empty() || kernel.dims.empty() || is_gemm(kernel)) return false;
  if (std::ranges::any_of(kernel.stores, &Store::ordered)) return false;
  return std::ranges::all_of(kernel.accs, [&](const Accumulator& a) {
    return a.kind == AccKind::sum && !a.dims.empty() && a.dims == kernel.accs[0].dims &&
           a.lanes == kernel.accs[0].lanes;
  });
}

bool can_merge(const Kernel& a, const Kernel& b) {
  if (!is_sums(a) || !is_sums(b) || a.accs.size() + b.accs.size() > kMostSums) return false;
  if (a.dims != b.dims || a.accs[0].dims != b.accs[0].dims || a.accs[0].lanes != b.accs[0].lanes)
    return false;
  const std::set<BufferId> written_by_a = buffers_written(a), written_by_b = buffers_written(b);
  return !share(written_by_a, written_by_b) && !share(written_by_a, buffers_read(b)) &&
         !share(written_by_b, buffers_read(a));
}

void append(Kernel& a, const Kernel& b) {
  const auto nodes = static_cast<NodeId>(a.nodes.size());
  const auto accs = static_cast<uint32_t>(a.accs.size());
  a.name += "_" + b.name;
  a.accs.insert(a.accs.end(), b.accs.begin(), b.accs.end());
  for (Node n : b.nodes) {
    for (NodeId& arg : n.args) arg += nodes;
    if (n.access.row != kNone) n.access.row += nodes;
    if (n.op == ScalarOp::acc) n.acc += accs;
    a.nodes.push_back(std::move(n));
  }
  for (Store s : b.stores) {
    s.value += nodes;
    if (s.access.row != kNone) s.access.row += nodes;
    a.stores.push_back(std::move(s));
  }
}

void merge_sums(std::vector<Stmt>& stmts) {
  std::vector<Stmt> merged;
  for (Stmt& s : stmts) {
    if (s.loop) merge_sums(s.loop->body);
    Kernel* before = merged.empty() ? nullptr : merged.back().kernel.get();
    if (s.kernel && before && can_merge(*before, *s.kernel))
      append(*before, *s.kernel);
    else
      merged.push_back(std::move(s));
  }
  stmts = std::move(merged);
}

}  // namespace

void merge_sums(LoopProgram& program) { merge_sums(program.stmts); }

}  // namespace rondo::codegen
