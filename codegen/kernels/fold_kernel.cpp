#include "codegen/kernels/fold_kernel.h"

#include <algorithm>

#include "codegen/kernels/scalar_ops.h"

namespace rondo::codegen {

using namespace ir;

namespace {

Node constant_node(DType dtype, double number) {
  Node n;
  n.dtype = dtype;
  n.number = number;
  return n;
}

/// Folds one expression DAG in place; nodes that equal an earlier one are replaced by it where they are used.
class Folder {
 public:
  Folder(Nodes& nodes, const FoldOptions& options, uint32_t acc, const std::vector<char>& zero_accs)
      : nodes_(nodes), original_(nodes), options_(options), acc_(acc), zero_accs_(zero_accs) {}

  /// What stands for each node.
  std::vector<NodeId> run() {
    for (NodeId i = 0; i < nodes_.size(); ++i) {
      Node& n = nodes_[i];
      for (NodeId& arg : n.args) arg = same_[arg];
      if (n.access.row != kNone) n.access.row = same_[n.access.row];
      same_.push_back(i);
      if (auto number = options_.known(original_, i, acc_))
        n = constant_node(n.dtype, *number);
      else if (n.op == ScalarOp::load && options_.same(n.access, acc_) != kNone)
        n.access.buffer = options_.same(n.access, acc_);
      else if (n.op == ScalarOp::acc && zero_accs_[n.acc])
        n = constant_node(n.dtype, 0);
      else
        fold(i);
    }
    return std::move(same_);
  }

 private:
  bool is_zero(NodeId id) const { return is_constant(nodes_, id, 0); }

  void fold(NodeId i) {
    Node& n = nodes_[i];
    auto arg = [&](size_t a) { return n.args[a]; };
    auto becomes = [&](NodeId other) { same_[i] = other; };
    auto becomes_zero = [&] { n = constant_node(n.dtype, 0); };
    switch (n.op) {
      case ScalarOp::select:
        if (nodes_[arg(0)].op == ScalarOp::constant)
          return becomes(nodes_[arg(0)].number != 0 ? arg(1) : arg(2));
        if (arg(1) == arg(2) || (is_zero(arg(1)) && is_zero(arg(2)))) return becomes(arg(1));
        return;
      case ScalarOp::mul:
        if (options_.absorb && (is_zero(arg(0)) || is_zero(arg(1)))) return becomes_zero();
        return fold_to_zero(n);
      case ScalarOp::fma:
        if (options_.absorb && (is_zero(arg(0)) || is_zero(arg(1)))) return becomes(arg(2));
        return;
      case ScalarOp::div:
        if (options_.absorb && is_zero(arg(0))) return becomes_zero();
        return;
      case ScalarOp::add:
        if (is_zero(arg(0))) return becomes(arg(1));
        if (is_zero(arg(1))) return becomes(arg(0));
        return;
      case ScalarOp::sub:
        if (is_zero(arg(1))) return becomes(arg(0));
        return;
      case ScalarOp::constant:
      case ScalarOp::load:
      case ScalarOp::index:
      case ScalarOp::size:
      case ScalarOp::random:
      case ScalarOp::acc: return;
      default: fold_to_zero(n);
    }
  }

  /// Functions of constants that are zero in any precision.
  void fold_to_zero(Node& n) {
    double x[3] = {};
    for (size_t a = 0; a < n.args.size(); ++a) {
      if (nodes_[n.args[a]].op != ScalarOp::constant) return;
      x[a] = nodes_[n.args[a]].number;
    }
    if (evaluate_scalar(n, x) == 0) n = constant_node(n.dtype, 0);
  }

  Nodes& nodes_;
  const Nodes original_;
  const FoldOptions& options_;
  const uint32_t acc_;
  const std::vector<char> zero_accs_;
  std::vector<NodeId> same_;
};

}  // namespace

std::vector<NodeId> prune_nodes(Nodes& nodes, const std::vector<NodeId>& roots) {
  std::vector<char> used(nodes.size());
  for (NodeId r : roots) used[r] = true;
  for (size_t i = nodes.size(); i-- > 0;) {
    if (!used[i]) continue;
    for (NodeId arg : nodes[i].args) used[arg] = true;
    if (nodes[i].access.row != kNone) used[nodes[i].access.row] = true;
  }
  std::vector<NodeId> named(nodes.size(), kNone);
  Nodes kept;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!used[i]) continue;
    Node n = std::move(nodes[i]);
    for (NodeId& arg : n.args) arg = named[arg];
    if (n.access.row != kNone) n.access.row = named[n.access.row];
    named[i] = static_cast<NodeId>(kept.size());
    kept.push_back(std::move(n));
  }
  nodes = std::move(kept);
  return named;
}

namespace {

void prune_accumulators(Kernel& kernel) {
  std::vector<char> used(kernel.accs.size());
  for (const Node& n : kernel.nodes)
    if (n.op == ScalarOp::acc) used[n.acc] = true;
  std::vector<uint32_t> named(kernel.accs.size(), kNone);
  std::vector<Accumulator> kept;
  for (size_t a = 0; a < used.size(); ++a) {
    if (!used[a]) continue;
    Accumulator acc = std::move(kernel.accs[a]);
    acc.value = prune_nodes(acc.nodes, {acc.value})[acc.value];
    named[a] = static_cast<uint32_t>(kept.size());
    kept.push_back(std::move(acc));
  }
  kernel.accs = std::move(kept);
  for (Node& n : kernel.nodes)
    if (n.op == ScalarOp::acc) n.acc = named[n.acc];
}

}  // namespace

bool is_constant(const Nodes& nodes, NodeId id, double number) {
  return nodes[id].op == ScalarOp::constant && nodes[id].number == number;
}

bool stores_nothing_new(const Kernel& kernel, const Store& store) {
  if (store.add) return is_constant(kernel.nodes, store.value, 0);
  const Node& value = kernel.nodes[store.value];
  return value.op == ScalarOp::load && value.access == store.access;
}

Kernel fold_kernel(const Kernel& original, const FoldOptions& options) {
  Kernel kernel = original;
  std::vector<char> zero_accs(kernel.accs.size());
  for (uint32_t a = 0; a < kernel.accs.size(); ++a) {
    Accumulator& acc = kernel.accs[a];
    acc.value = Folder(acc.nodes, options, a, {}).run()[acc.value];
    zero_accs[a] = acc.kind == AccKind::sum && is_constant(acc.nodes, acc.value, 0);
  }
  std::vector<NodeId> same = Folder(kernel.nodes, options, kNone, zero_accs).run();
  for (Store& s : kernel.stores) {
    s.value = same[s.value];
    if (s.access.row != kNone) s.access.row = same[s.access.row];
  }
  return kernel;
}

Kernel prune_kernel(const Kernel& original) {
  Kernel kernel = original;
  std::vector<NodeId> roots;
  for (const Store& s : kernel.stores) {
    roots.push_back(s.value);
    if (s.access.row != kNone) roots.push_back(s.access.row);
  }
  std::vector<NodeId> named = prune_nodes(kernel.nodes, roots);
  for (Store& s : kernel.stores) {
    s.value = named[s.value];
    if (s.access.row != kNone) s.access.row = named[s.access.row];
  }
  prune_accumulators(kernel);
  return kernel;
}

}  // namespace rondo::codegen
