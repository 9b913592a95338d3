#include "codegen/lowering/region_order.h"

#include <algorithm>
#include <set>

#include "ir/op_def.h"
#include "support/error.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// A kernel, or a scan or placed op.
struct Node {
  uint32_t rank = 0;  // the last op of it: program order
  std::vector<uint32_t> before;
};

class Order {
 public:
  Order(const Func& region, const Placement& plan, bool in_loop)
      : f_(region), plan_(plan), in_loop_(in_loop), pieces_of_op_(f_.ops.size()) {
    for (const Piece& piece : plan_.pieces) pieces_of_op_[piece.op].push_back(&piece);
  }

  std::vector<uint32_t> run() const {
    std::vector<Node> nodes(plan_.kernels + f_.ops.size());
    for (uint32_t i = 0; i < f_.ops.size(); ++i) add_edges(nodes, i);
    for (const Piece& piece : plan_.pieces) {
      Node& node = nodes[piece.kernel];
      node.rank = std::max(node.rank, piece.op);
      node.before.push_back(op_node(piece.op));
      sources(f_.ops[piece.op].operands[piece.operand], node.before);
    }
    return sorted(nodes);
  }

 private:
  static OpClass cls(const Op& op) { return def_of(op.kind).cls; }
  uint32_t op_node(uint32_t op) const { return plan_.kernels + op; }

  /// The nodes that must be done before v's buffer holds it.
  void sources(Value v, std::vector<uint32_t>& out) const {
    const Op* op = f_.def(v);
    if (!op) return;
    OpClass c = cls(*op);
    const auto i = static_cast<uint32_t>(op - f_.ops.data());
    if (c == OpClass::scan || c == OpClass::placed) {
      out.push_back(op_node(i));
      for (const Piece* piece : pieces_of_op_[i]) out.push_back(piece->kernel);
    } else if (plan_.root[v.id]) {
      out.push_back(static_cast<uint32_t>(plan_.kernel[v.id]));
    } else if (plan_.kernel[v.id] < 0) {
      for (Value u : op->operands) sources(u, out);
    }
  }

  void add_edges(std::vector<Node>& nodes, uint32_t i) const {
    const Op& op = f_.ops[i];
    OpClass c = cls(op);
    Value v = op.result();
    nodes[op_node(i)].rank = i;
    if (c == OpClass::placed) {
      if (pieces_of_op_[i].empty())
        for (Value u : op.operands) sources(u, nodes[op_node(i)].before);
      return;
    }
    if (c == OpClass::scan) {
      for (Value u : op.operands) sources(u, nodes[op_node(i)].before);
      return;
    }
    if (plan_.kernel[v.id] < 0) return;
    Node& node = nodes[plan_.kernel[v.id]];
    node.rank = std::max(node.rank, i);
    for (Value u : op.operands) sources(u, node.before);
  }

  std::vector<uint32_t> sorted(std::vector<Node>& nodes) const {
    std::vector<uint32_t> waiting(nodes.size());
    std::vector<std::vector<uint32_t>> after(nodes.size());
    for (uint32_t n = 0; n < nodes.size(); ++n) {
      auto& before = nodes[n].before;
      std::sort(before.begin(), before.end());
      before.erase(std::unique(before.begin(), before.end()), before.end());
      std::erase(before, n);
      waiting[n] = static_cast<uint32_t>(before.size());
      for (uint32_t b : before) after[b].push_back(n);
    }
    if (in_loop_) hurry(nodes, after);
    std::set<std::pair<uint32_t, uint32_t>> ready;
    for (uint32_t n = 0; n < nodes.size(); ++n)
      if (!waiting[n]) ready.emplace(nodes[n].rank, n);
    std::vector<uint32_t> order;
    while (!ready.empty()) {
      uint32_t n = ready.begin()->second;
      ready.erase(ready.begin());
      order.push_back(n);
      for (uint32_t a : after[n])
        if (--waiting[a] == 0) ready.emplace(nodes[a].rank, a);
    }
    RONDO_CHECK(order.size() == nodes.size(), "kernels of " + f_.name + " depend on each other in a circle");
    return order;
  }

  /// What nothing waits for, as the gradients of gains are, follows what it reads, while that is near.
  static void hurry(std::vector<Node>& nodes, const std::vector<std::vector<uint32_t>>& after) {
    for (uint32_t n = 0; n < nodes.size(); ++n) {
      if (!after[n].empty() || nodes[n].before.empty()) continue;
      nodes[n].rank = 0;
      for (uint32_t b : nodes[n].before) nodes[n].rank = std::max(nodes[n].rank, nodes[b].rank);
    }
  }

  const Func& f_;
  const Placement& plan_;
  const bool in_loop_;
  std::vector<std::vector<const Piece*>> pieces_of_op_;
};

}  // namespace

std::vector<uint32_t> order_of(const Func& region, const Placement& plan, bool in_loop) {
  return Order(region, plan, in_loop).run();
}

}  // namespace rondo::codegen
