#include "codegen/loops/bound_rows.h"

#include <algorithm>

#include "codegen/loops/live_rows.h"
#include "codegen/loops/row_facts.h"

namespace rondo::codegen {

using namespace ir;

namespace {

using Of = LiveRows::Of;

template <class Fn>
void each_access(Nodes& nodes, Fn fn) {
  for (Node& n : nodes)
    if (n.op == ScalarOp::load || n.op == ScalarOp::index) fn(n.access);
}

/// The kernel over the rows of a loop's step that are live, or over those that are not.
Kernel over_rows_of_step(Kernel k, const StepAndRow& at, bool live, LiveRows& rows) {
  const Poly count = rows.count_in(at.loop);
  Poly& extent = k.dims[at.row];
  if (live) {
    extent = count;
    return k;
  }
  extent = extent - count;
  auto start = [&](Access& a) { a.offset += stride_of(a, at.row) * count; };
  each_access(k.nodes, start);
  for (Accumulator& acc : k.accs) each_access(acc.nodes, start);
  for (Store& s : k.stores) start(s.access);
  return k;
}

/// Rewrites one scope so that a single variable numbers steps and rows through lists.
class Lister {
 public:
  Lister(const StepAndRow& at, bool live, LiveRows& rows)
      : at_(at), first_(std::min(at.step, at.row)), live_(live), rows_(rows) {}

  /// The two extents become one.
  void dims(std::vector<Poly>& dims, size_t before) const {
    dims.erase(dims.begin() + static_cast<int64_t>(std::max(at_.step, at_.row) - before));
    dims[first_ - before] = rows_.count(live_);
  }

  /// The new number of each node.
  std::vector<NodeId> nodes(Nodes& nodes) {
    nodes_.clear();
    loads_.clear();
    std::vector<NodeId> named;
    for (Node n : nodes) {
      for (NodeId& arg : n.args) arg = named[arg];
      if (n.access.row != kNone) n.access.row = named[n.access.row];
      named.push_back(n.op == ScalarOp::index ? index(std::move(n)) : load_or_other(std::move(n)));
    }
    nodes = nodes_;
    return named;
  }

  /// Of a store in the scope of the nodes last rewritten; may append to them.
  void store(Store& s, const std::vector<NodeId>& named, Nodes& nodes) {
    s.value = named[s.value];
    if (s.access.row != kNone) s.access.row = named[s.access.row];
    through_list(s.access);
    nodes = nodes_;
  }

 private:
  NodeId add(Node n) {
    nodes_.push_back(std::move(n));
    return static_cast<NodeId>(nodes_.size() - 1);
  }

  NodeId load_or_other(Node n) {
    if (n.op == ScalarOp::load) through_list(n.access);
    return add(std::move(n));
  }

  /// Takes step and row out of the access; their strides.
  std::pair<Poly, Poly> without_step_and_row(Access& a) const {
    std::pair<Poly, Poly> strides = {stride_of(a, at_.step), stride_of(a, at_.row)};
    a.strides.resize(std::max(a.strides.size(), std::max(at_.step, at_.row) + 1));
    a.strides.erase(a.strides.begin() + static_cast<int64_t>(std::max(at_.step, at_.row)));
    a.strides[first_] = 0;
    return strides;
  }

  void through_list(Access& a) {
    const auto [step, row] = without_step_and_row(a);
    if (step.is_zero() && row.is_zero()) return;
    const RowMask& mask = rows_.mask();
    const Of of = step.is_zero() ? Of::row : row.is_zero() ? Of::step : Of::run;
    a.row = load(of);
    a.row_stride = of == Of::step ? step : row;
    a.rows = of == Of::row ? mask.rows : of == Of::step ? mask.steps : mask.steps * mask.rows;
  }

  NodeId index(Node n) {
    const auto [step, row] = without_step_and_row(n.access);
    NodeId sum = add(std::move(n));
    for (auto [of, factor] : {std::pair(Of::step, step), std::pair(Of::row, row)}) {
      if (factor.is_zero()) continue;
      const NodeId number = load(of);
      Node by;
      by.op = ScalarOp::size;
      by.dtype = DType::i32;
      by.access.offset = factor;
      sum = apply(ScalarOp::add, sum, apply(ScalarOp::mul, number, add(std::move(by))));
    }
    return sum;
  }

  NodeId apply(ScalarOp op, NodeId x, NodeId y) {
    Node n;
    n.op = op;
    n.dtype = DType::i32;
    n.args = {x, y};
    return add(std::move(n));
  }

  NodeId load(Of of) {
    auto [it, fresh] = loads_.try_emplace(of);
    if (!fresh) return it->second;
    Node n;
    n.op = ScalarOp::load;
    n.dtype = DType::i32;
    n.access.buffer = rows_.list(of, live_);
    n.access.strides.resize(first_ + 1);
    n.access.strides[first_] = 1;
    return it->second = add(std::move(n));
  }

  const StepAndRow at_;
  const size_t first_;
  const bool live_;
  LiveRows& rows_;
  Nodes nodes_;
  std::map<Of, NodeId> loads_;
};

/// The kernel over the list of all steps and rows that are live, or of those that are not.
Kernel over_list(Kernel k, const StepAndRow& at, bool live, LiveRows& rows) {
  Lister lister(at, live, rows);
  for (Accumulator& acc : k.accs) acc.value = lister.nodes(acc.nodes)[acc.value];
  const std::vector<NodeId> named = lister.nodes(k.nodes);
  for (Store& s : k.stores) lister.store(s, named, k.nodes);
  lister.dims(k.dims, 0);
  return k;
}

/// The accumulator over live rows only.
void skip_dead_terms(Accumulator& acc, size_t rank, const StepAndRow& at, LiveRows& rows) {
  if (at.loop != kNone) {
    acc.dims[at.row - rank] = rows.count_in(at.loop);
    return;
  }
  Lister lister(at, true, rows);
  acc.value = lister.nodes(acc.nodes)[acc.value];
  lister.dims(acc.dims, rank);
}

class RowBounds {
 public:
  RowBounds(ProgramBuilder& p, const RowMask& mask) : p_(p), rows_(p, mask) {}

  void run() {
    std::vector<Stmt>& stmts = p_.program.stmts;
    const size_t first = first_statement();
    const RowFacts facts(p_.program, rows_.mask(), first);
    for (const Site& site : facts.sites()) bound(facts, site);
    for (size_t i = stmts.size(); i-- > 0;) replace(stmts, i);
    std::vector<Stmt> own = rows_.statements();
    // Statements before the first are as they were.
    stmts.insert(stmts.begin() + static_cast<int64_t>(first), own.begin(), own.end());
  }

 private:
  /// The first statement before which the mask can be computed.
  size_t first_statement() const {
    size_t first = 0;
    const std::vector<Stmt>& stmts = p_.program.stmts;
    for (const Node& n : rows_.mask().nodes)
      for (size_t i = 0; n.op == ScalarOp::load && i < stmts.size(); ++i)
        if (stores_to(stmts[i], n.access.buffer)) first = std::max(first, i + 1);
    return first;
  }

  static bool stores_to(const Stmt& s, BufferId buffer) {
    if (s.kernel)
      return std::ranges::any_of(s.kernel->stores,
                                 [&](const Store& store) { return store.access.buffer == buffer; });
    return s.loop && std::ranges::any_of(s.loop->body, [&](const Stmt& b) { return stores_to(b, buffer); });
  }

  void bound(const RowFacts& facts, const Site& site) {
    Kernel& k = *site.kernel;
    for (uint32_t a = 0; a < k.accs.size(); ++a)
      if (site.skips[a]) skip_dead_terms(k.accs[a], k.dims.size(), *site.in[a], rows_);
    if (!site.splits) return;
    Kernel dead = facts.at_dead_points(site);
    if (same_work(dead, k)) return;
    dead.name += ".dead";
    const StepAndRow& at = *site.at;
    auto part = [&](const Kernel& from, bool live) {
      return at.loop == kNone ? over_list(from, at, live, rows_) : over_rows_of_step(from, at, live, rows_);
    };
    if (!dead.stores.empty()) dead_[&k] = std::make_shared<Kernel>(part(dead, false));
    k = part(k, true);
  }

  static bool same_work(const Kernel& a, const Kernel& b) {
    auto same_store = [](const Store& x, const Store& y) {
      return x.access == y.access && x.value == y.value;
    };
    return a.nodes == b.nodes && a.accs == b.accs && std::ranges::equal(a.stores, b.stores, same_store);
  }

  /// Puts the kernels for dead points after those for live ones.
  void replace(std::vector<Stmt>& stmts, size_t i) {
    if (stmts[i].loop)
      for (size_t inner = stmts[i].loop->body.size(); inner-- > 0;) replace(stmts[i].loop->body, inner);
    auto dead = dead_.find(stmts[i].kernel.get());
    if (dead != dead_.end())
      stmts.insert(stmts.begin() + static_cast<int64_t>(i + 1), {dead->second, nullptr, nullptr});
  }

  ProgramBuilder& p_;
  LiveRows rows_;
  std::map<const Kernel*, std::shared_ptr<Kernel>> dead_;
};

}  // namespace

void bound_rows(ProgramBuilder& p) {
  for (const RowMask& mask : find_masks(p.program)) RowBounds(p, mask).run();
}

}  // namespace rondo::codegen
