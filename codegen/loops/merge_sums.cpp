#include "codegen/loops/merge_sums.h"

#include <algorithm>
#include <set>
#include <span>

#include "codegen/kernels/schedule_gemm.h"

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

/// Whether the kernel is sums over the same dims, in one order.
bool is_sums(const Kernel& kernel) {
  if (kernel.accs.empty() || kernel.dims.empty() || is_gemm(kernel)) return false;
  if (std::ranges::any_of(kernel.stores, &Store::ordered)) return false;
  return std::ranges::all_of(kernel.accs, [&](const Accumulator& a) {
    return a.kind == AccKind::sum && !a.dims.empty() && a.dims == kernel.accs[0].dims &&
           a.order == kernel.accs[0].order;
  });
}

bool can_merge(const Kernel& a, const Kernel& b) {
  if (!is_sums(a) || !is_sums(b) || a.accs.size() + b.accs.size() > kMostSums) return false;
  if (a.dims != b.dims || a.accs[0].dims != b.accs[0].dims || a.accs[0].order != b.accs[0].order)
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

/// Products of one row: all that a step reads of matrices.
bool is_row_product(const Stmt& s) { return s.kernel && is_gemm(*s.kernel) && is_row(*s.kernel); }

/// Whether a kernel may run before a statement that stands before it, and that is a kernel.
bool may_overtake(const Kernel& kernel, const Stmt& before) {
  if (!before.kernel) return false;
  const std::set<BufferId> written = buffers_written(kernel),
                           written_before = buffers_written(*before.kernel);
  return !share(written_before, buffers_read(kernel)) && !share(written, buffers_read(*before.kernel)) &&
         !share(written, written_before);
}

/// Makes one kernel of products of one row that do not wait for each other, so that their matrices are walked
/// to and fro as one: the last blocks of a call are near when the next one starts.
void merge_row_products(LoopProgram& program, std::vector<Stmt>& stmts) {
  // What the arguments of a call are read for must not be written earlier: they may share memory.
  auto writes_scratch_only = [&](const Kernel& k) {
    return std::ranges::all_of(k.stores, [&](const Store& s) {
      return !s.ordered() && program.buffers[s.access.buffer].kind == Buffer::Kind::scratch;
    });
  };
  for (size_t i = 0; i < stmts.size(); ++i) {
    if (stmts[i].loop) merge_row_products(program, stmts[i].loop->body);
    if (!is_row_product(stmts[i])) continue;
    for (size_t j = i + 1; j < stmts.size(); ++j) {
      if (!is_row_product(stmts[j]) || stmts[j].kernel->dims != stmts[i].kernel->dims) continue;
      const Kernel& k = *stmts[j].kernel;
      if (stmts[i].kernel->accs.size() + k.accs.size() > kMostSums) continue;
      const auto between = std::span(stmts).subspan(i, j - i);
      if (!writes_scratch_only(k) ||
          !std::ranges::all_of(between, [&](const Stmt& s) { return may_overtake(k, s); }))
        continue;
      append(*stmts[i].kernel, k);
      stmts.erase(stmts.begin() + static_cast<std::ptrdiff_t>(j--));
    }
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

void merge_sums(LoopProgram& program) {
  merge_row_products(program, program.stmts);
  merge_sums(program.stmts);
}

}  // namespace rondo::codegen
