#include "codegen/loops/live_rows.h"

#include <algorithm>

namespace rondo::codegen {

using namespace ir;

namespace {

/// Nodes of i32 kernels, by hand.
struct NodeWriter {
  Nodes& nodes;

  NodeId add(Node n) {
    nodes.push_back(std::move(n));
    return static_cast<NodeId>(nodes.size() - 1);
  }
  NodeId constant(double number) {
    Node n;
    n.dtype = DType::i32;
    n.number = number;
    return add(std::move(n));
  }
  NodeId apply(ScalarOp op, std::vector<NodeId> args) {
    Node n;
    n.op = op;
    n.dtype = DType::i32;
    n.args = std::move(args);
    return add(std::move(n));
  }
  NodeId access(ScalarOp op, Access a) {
    Node n;
    n.op = op;
    n.dtype = DType::i32;
    n.access = std::move(a);
    return add(std::move(n));
  }
};

Access access_to(BufferId buffer, std::vector<Poly> strides, LoopId loop = kNone) {
  Access a;
  a.buffer = buffer;
  a.strides = std::move(strides);
  if (loop != kNone) a.outer.emplace_back(loop, 1);
  return a;
}

Stmt statement(Kernel kernel) { return {std::make_shared<Kernel>(std::move(kernel)), nullptr, nullptr}; }

std::string name_of(LiveRows::Of of, bool live) {
  const char* what = of == LiveRows::Of::run ? ".runs" : of == LiveRows::Of::step ? ".steps" : ".rows";
  return (live ? "live" : "dead") + std::string(what);
}

}  // namespace

BufferId LiveRows::counts() {
  if (counts_ == kNone) counts_ = p_.new_buffer("live", DType::i32, mask_.steps);
  return counts_;
}

BufferId LiveRows::total() {
  if (total_ == kNone) total_ = p_.new_buffer("live.total", DType::i32, 1);
  return total_;
}

Poly LiveRows::named(const std::string& suffix, BufferId buffer, LoopId loop, const Poly& most) {
  // No dim is called so.
  const std::string name = "#live." + std::to_string(buffer) + suffix;
  auto& counts = p_.program.counts;
  if (std::ranges::find(counts, name, &Count::name) == counts.end())
    counts.push_back({name, buffer, loop, most});
  return Dim(name);
}

Poly LiveRows::count_in(LoopId loop) {
  return named(".t" + std::to_string(loop), counts(), loop, mask_.rows);
}

Poly LiveRows::count(bool live) {
  const Poly all = mask_.steps * mask_.rows, some = named("", total(), kNone, all);
  return live ? some : all - some;
}

BufferId LiveRows::list(Of of, bool live) {
  total();
  auto [it, fresh] = lists_.try_emplace({of, live});
  if (fresh) it->second = p_.new_buffer(name_of(of, live), DType::i32, mask_.steps * mask_.rows);
  return it->second;
}

/// One more than the last active row, for each step.
Stmt LiveRows::count_kernel() {
  Kernel k;
  k.name = "live";
  k.dims = {mask_.steps};
  Accumulator last;
  last.kind = AccKind::max;
  last.dtype = DType::i32;
  last.dims = {mask_.rows};
  last.nodes = mask_.nodes;
  NodeWriter term{last.nodes};
  const auto active = static_cast<NodeId>(last.nodes.size() - 1);
  Access number = access_to(kNone, {0, 1});
  number.offset = 1;
  const NodeId row = term.access(ScalarOp::index, std::move(number));
  last.value = term.apply(ScalarOp::select, {active, row, term.constant(0)});
  k.accs.push_back(std::move(last));
  NodeWriter w{k.nodes};
  const NodeId most = w.apply(ScalarOp::acc, {});
  k.nodes[most].acc = 0;
  const NodeId rows = w.apply(ScalarOp::max, {most, w.constant(0)});
  k.stores.push_back({access_to(counts_, {1}), rows, false});
  return statement(std::move(k));
}

/// Appends the step's part of a list: after what `total` counts so far, or what remains without it.
Stmt LiveRows::list_kernel(Of of, bool live, BufferId list, LoopId loop) {
  const Poly here = count_in(loop), all = mask_.steps * mask_.rows;
  Kernel k;
  k.name = name_of(of, live);
  k.dims = {live ? here : mask_.rows - here};
  NodeWriter w{k.nodes};
  Access value;
  if (of != Of::row) value.outer.emplace_back(loop, of == Of::run ? mask_.rows : Poly(1));
  value.strides = {of == Of::step ? 0 : 1};
  if (!live && of != Of::step) value.offset = here;
  const NodeId number = w.access(ScalarOp::index, std::move(value));
  NodeId start = w.access(ScalarOp::load, access_to(total_, {0}));
  if (!live) {
    Access before;
    before.strides = {0};
    before.outer.emplace_back(loop, mask_.rows);
    start = w.apply(ScalarOp::sub, {w.access(ScalarOp::index, std::move(before)), start});
  }
  Access to = access_to(list, {1});
  to.row = start;
  to.row_stride = 1;
  to.rows = all;
  k.stores.push_back({std::move(to), number, false});
  return statement(std::move(k));
}

/// total = 0, or total += live rows of the step.
Stmt LiveRows::total_kernel(bool start, LoopId loop) {
  Kernel k;
  k.name = "live.total";
  NodeWriter w{k.nodes};
  NodeId value = start ? w.constant(0)
                       : w.apply(ScalarOp::add, {w.access(ScalarOp::load, access_to(total_, {})),
                                                 w.access(ScalarOp::load, access_to(counts_, {}, loop))});
  k.stores.push_back({access_to(total_, {}), value, false});
  return statement(std::move(k));
}

std::vector<Stmt> LiveRows::statements() {
  if (counts_ == kNone && total_ == kNone) return {};
  counts();
  std::vector<Stmt> stmts = {count_kernel()};
  if (total_ == kNone) return stmts;
  auto loop = std::make_shared<Loop>();
  loop->id = p_.loops++;
  loop->trip = mask_.steps;
  for (const auto& [what, list] : lists_)
    loop->body.push_back(list_kernel(what.first, what.second, list, loop->id));
  loop->body.push_back(total_kernel(false, loop->id));
  stmts.push_back(total_kernel(true, kNone));
  stmts.push_back({nullptr, loop, nullptr});
  return stmts;
}

}  // namespace rondo::codegen
