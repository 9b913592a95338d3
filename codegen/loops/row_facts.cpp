#include "codegen/loops/row_facts.h"

#include <algorithm>

#include "codegen/kernels/fold_kernel.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Whatever the named dims, which are not negative.
bool surely_not_negative(const Poly& p) {
  return std::ranges::all_of(p.terms(), [](const auto& term) { return term.second >= 0; });
}

}  // namespace

RowFacts::RowFacts(const LoopProgram& program, const RowMask& mask, size_t first)
    : program_(program), mask_(mask) {
  collect(program.stmts, {}, 0);
  find_rows();
  find_zeros();
  decide_splits(first);
  find_kept();
  find_needs();
}

void RowFacts::collect(const std::vector<Stmt>& stmts, std::vector<const Loop*> around, size_t statement) {
  for (const Stmt& s : stmts) {
    if (around.empty()) statement = static_cast<size_t>(&s - stmts.data());
    if (s.kernel) sites_.push_back({s.kernel, around, statement, {}, {}, false, {}});
    if (s.loop) {
      around.push_back(s.loop.get());
      collect(s.loop->body, around, statement);
      around.pop_back();
    }
  }
}

// --- where steps and rows are

void RowFacts::each_access(const Site& site, const Visit& visit) {
  const Kernel& k = *site.kernel;
  for (uint32_t a = 0; a < k.accs.size(); ++a)
    for (const Node& n : k.accs[a].nodes)
      if (n.op == ScalarOp::load) visit(n.access, a, false);
  for (const Node& n : k.nodes)
    if (n.op == ScalarOp::load) visit(n.access, kNone, false);
  for (const Store& s : k.stores) visit(s.access, kNone, true);
}

std::vector<Poly> RowFacts::extents(const Site& site, uint32_t acc) {
  std::vector<Poly> extents = site.kernel->dims;
  if (acc != kNone) {
    const std::vector<Poly>& own = site.kernel->accs[acc].dims;
    extents.insert(extents.end(), own.begin(), own.end());
  }
  return extents;
}

const std::optional<StepAndRow>& RowFacts::where(const Site& site, uint32_t acc) {
  return acc == kNone || site.at ? site.at : site.in[acc];
}

/// Steps and rows among the variables from `first` on, so that the access walks the buffer's runs with them.
std::optional<StepAndRow> RowFacts::matching(const Site& site, const Access& access, uint32_t acc,
                                             const Rows& rows, size_t first) const {
  const std::vector<Poly> all = extents(site, acc);
  StepAndRow at;
  auto variable = [&](const Poly& stride, const Poly& extent, size_t from) {
    for (size_t v = from; v < all.size(); ++v)
      if (stride_of(access, v) == stride && all[v] == extent) return v;
    return StepAndRow::kNoVariable;
  };
  at.row = variable(rows.stride, mask_.rows, first);
  if (at.row == StepAndRow::kNoVariable) return std::nullopt;
  const Poly step = mask_.rows * rows.stride;
  if (rows.loop != kNone) {
    at.loop = rows.loop;
  } else if ((at.step = variable(step, mask_.steps, 0)) == StepAndRow::kNoVariable) {
    for (const Loop* loop : site.loops)
      if (loop->trip == mask_.steps && stride_of_loop(access, loop->id) == step) at.loop = loop->id;
    if (at.loop == kNone) return std::nullopt;
  }
  if (!shift(site, access, acc, at, rows)) return std::nullopt;
  return at;
}

std::optional<int> RowFacts::shift(const Site& site, const Access& access, uint32_t acc, const StepAndRow& at,
                                   const Rows& rows) const {
  if (access.row != kNone) return std::nullopt;
  const Poly step = at.loop != kNone ? stride_of_loop(access, at.loop) : stride_of(access, at.step);
  if (stride_of(access, at.row) != rows.stride) return std::nullopt;
  if (step != (rows.loop == kNone ? mask_.rows * rows.stride : Poly())) return std::nullopt;
  Poly reach;  // of all other variables
  auto walk = [&](const Poly& stride, const Poly& extent) {
    if (!stride.is_zero()) reach += stride * (extent - Poly(1));
    return surely_not_negative(stride);
  };
  const std::vector<Poly> all = extents(site, acc);
  for (size_t v = 0; v < all.size(); ++v)
    if (v != at.row && v != at.step && !walk(stride_of(access, v), all[v])) return std::nullopt;
  for (const auto& [id, stride] : access.outer) {
    auto loop = std::ranges::find(site.loops, id, &Loop::id);
    if (id != at.loop && (loop == site.loops.end() || !walk(stride, (*loop)->trip))) return std::nullopt;
  }
  for (int by : {0, 1}) {
    const Poly offset = access.offset - Poly(by) * step;
    if (surely_not_negative(offset) && surely_not_negative(rows.stride - Poly(1) - offset - reach)) return by;
  }
  return std::nullopt;
}

std::optional<int> RowFacts::shift(const Site& site, const Access& access, uint32_t acc) const {
  auto rows = rows_.find(access.buffer);
  const auto& at = where(site, acc);
  if (rows == rows_.end() || !at) return std::nullopt;
  return shift(site, access, acc, *at, rows->second);
}

/// Spreads from the mask: a kernel's steps and rows from a buffer that has rows, a buffer's rows from a
/// kernel that walks it.
void RowFacts::find_rows() {
  for (BufferId b : mask_.buffers) rows_[b] = Rows{1};
  for (Site& site : sites_) site.in.resize(site.kernel->accs.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (Site& site : sites_) {
      changed |= place(site);
      changed |= note_rows(site);
    }
  }
}

bool RowFacts::place(Site& site) {
  if (site.at) return false;
  bool changed = false;
  const size_t rank = site.kernel->dims.size();
  each_access(site, [&](const Access& access, uint32_t acc, bool) {
    auto rows = rows_.find(access.buffer);
    if (rows == rows_.end() || site.at) return;
    auto at = matching(site, access, acc, rows->second, 0);
    if (at && at->row < rank && (at->loop != kNone || at->step < rank)) {
      site.at = at;
      changed = true;
    } else if (acc != kNone && !site.in[acc]) {
      site.in[acc] = matching(site, access, acc, rows->second, rank);
      changed |= site.in[acc].has_value();
    }
  });
  return changed;
}

bool RowFacts::note_rows(const Site& site) {
  bool changed = false;
  each_access(site, [&](const Access& access, uint32_t acc, bool) {
    const auto& at = where(site, acc);
    if (!at || access.row != kNone || rows_.contains(access.buffer)) return;
    const Poly step = at->loop != kNone ? stride_of_loop(access, at->loop) : stride_of(access, at->step);
    Rows rows{stride_of(access, at->row)};
    if (rows.stride.is_zero()) return;
    if (step.is_zero() && at->loop != kNone && written_first(access.buffer, at->loop)) rows.loop = at->loop;
    if (!shift(site, access, acc, *at, rows)) return;
    rows_.emplace(access.buffer, rows);
    changed = true;
  });
  return changed;
}

/// Whether all uses of a buffer are in the loop, and the first is that it is written.
bool RowFacts::written_first(BufferId buffer, LoopId loop) const {
  bool first = true;
  for (const Site& site : sites_) {
    bool reads = false, writes = false;
    each_access(site, [&](const Access& access, uint32_t, bool is_store) {
      if (access.buffer == buffer) (is_store ? writes : reads) = true;
    });
    if (!reads && !writes) continue;
    if (std::ranges::find(site.loops, loop, &Loop::id) == site.loops.end()) return false;
    if (first && reads) return false;
    first = false;
  }
  return !first && program_.buffers[buffer].kind == Buffer::Kind::scratch;
}

// --- what is zero, what is needed

bool RowFacts::is_mask(BufferId b) const { return std::ranges::count(mask_.buffers, b) > 0; }

/// The kernel at points that are not live.
Kernel RowFacts::folded(const Site& site, bool absorb) const {
  FoldOptions options;
  options.absorb = absorb;
  options.known = [&](const Nodes& nodes, NodeId id, uint32_t acc) -> std::optional<double> {
    const auto& at = where(site, acc);
    const Node& n = nodes[id];
    if (!at) return std::nullopt;
    if (n.op == ScalarOp::less && computes_mask(mask_, nodes, id, *at)) return 0;
    if (n.op != ScalarOp::load) return std::nullopt;
    auto by = shift(site, n.access, acc);
    if (!by) return std::nullopt;
    const Rows& rows = rows_.at(n.access.buffer);
    // Live rows are no more at later steps.
    if ((absorb || is_mask(n.access.buffer)) && rows.zero && *by >= rows.written) return 0;
    return std::nullopt;
  };
  options.same = [&](const Access& access, uint32_t acc) {
    return absorb && shift(site, access, acc) ? rows_.at(access.buffer).kept : kNone;
  };
  return fold_kernel(*site.kernel, options);
}

void RowFacts::find_zeros() {
  std::set<BufferId> stored;
  for (const Site& site : sites_)
    for (const Store& s : site.kernel->stores) {
      auto rows = rows_.find(s.access.buffer);
      if (rows == rows_.end()) continue;
      auto by = shift(site, s.access, kNone);
      Rows& r = rows->second;
      r.zero &= by.has_value() && !s.ordered();
      if (!by) continue;
      if (!stored.insert(s.access.buffer).second && r.written != *by) r.zero = !(r.needed = true);
      r.written = *by;
    }
  for (auto& [buffer, rows] : rows_) rows.zero &= stored.contains(buffer);
  for (bool changed = true; changed;) {
    changed = false;
    for (const Site& site : sites_) {
      if (!site.at) continue;
      const Kernel k = folded(site, true);
      for (const Store& s : k.stores) {
        auto rows = rows_.find(s.access.buffer);
        if (rows == rows_.end() || !rows->second.zero || is_constant(k.nodes, s.value, 0)) continue;
        rows->second.zero = false;
        changed = true;
      }
    }
  }
}

void RowFacts::decide_splits(size_t first) {
  for (Site& site : sites_) {
    site.skips.assign(site.kernel->accs.size(), false);
    if (site.statement < first) continue;
    const Kernel k = folded(site, true);
    if (site.at) {
      const bool worth_it = site.at->loop != kNone || k.dims.size() > 2 || !k.accs.empty();
      // Ordered stores keep their order.
      const bool in_parts = std::ranges::all_of(k.stores, [&](const Store& s) {
        return !s.ordered() || (s.add && is_constant(k.nodes, s.value, 0));
      });
      site.splits = worth_it && in_parts && can_list(site, kNone);
      continue;
    }
    for (uint32_t a = 0; a < k.accs.size(); ++a) {
      const Accumulator& acc = k.accs[a];
      site.skips[a] =
          site.in[a] && acc.kind == AccKind::sum && is_constant(acc.nodes, acc.value, 0) && can_list(site, a);
    }
  }
}

namespace {

bool same_element(const Access& a, Access b) {
  b.buffer = a.buffer;
  return a == b;
}

}  // namespace

/// A carry that is not updated in place: next = select(mask, new, old), then old = next. Dead rows of next
/// are those of old, which stay.
void RowFacts::find_kept() {
  for (const Site& site : sites_) {
    if (!site.splits || site.at->loop == kNone) continue;
    const Kernel k = folded(site, true);
    for (const Store& s : k.stores) {
      const Node& value = k.nodes[s.value];
      auto rows = rows_.find(s.access.buffer);
      if (value.op == ScalarOp::load && rows != rows_.end() && rows->second.loop == site.at->loop &&
          shift(site, s.access, kNone) && same_element(value.access, s.access) &&
          only_put_back(s.access.buffer, value.access.buffer, site.at->loop))
        rows->second.kept = value.access.buffer;
    }
  }
}

/// Whether in the loop one kernel writes `from`, and after it one copies all of that to `to`, which nothing
/// else writes there.
bool RowFacts::only_put_back(BufferId from, BufferId to, LoopId loop) const {
  int writes = 0, copies = 0;
  for (const Site& site : sites_) {
    if (std::ranges::find(site.loops, loop, &Loop::id) == site.loops.end()) continue;
    for (const Store& s : site.kernel->stores) {
      writes += s.access.buffer == from;
      if (s.access.buffer != to) continue;
      const Node& value = site.kernel->nodes[s.value];
      if (writes != 1 || !site.splits || site.at->loop != loop || value.op != ScalarOp::load ||
          value.access.buffer != from || !same_element(value.access, s.access))
        return false;
      ++copies;
    }
  }
  return writes == 1 && copies == 1;
}

/// Whether the live steps and rows can be walked as a list in the order of the sums and ordered stores.
bool RowFacts::can_list(const Site& site, uint32_t acc) const {
  const StepAndRow& at = *where(site, acc);
  if (at.loop != kNone) return true;
  const Kernel& k = *site.kernel;
  const size_t rank = k.dims.size();
  if (acc != kNone && (at.step < rank || (k.accs[acc].order == SumOrder::lanes &&
                                          at.row + 1 == rank + k.accs[acc].dims.size())))
    return false;
  const bool ordered = std::ranges::any_of(k.stores, [](const Store& s) { return s.ordered(); });
  if ((acc != kNone || ordered) && at.step + 1 != at.row) return false;
  bool fits = true;
  each_access(site, [&](const Access& access, uint32_t of, bool) {
    const Poly step = stride_of(access, at.step), row = stride_of(access, at.row);
    if ((acc != kNone && acc != of) || (step.is_zero() && row.is_zero())) return;
    fits &= access.row == kNone && (step.is_zero() || row.is_zero() || step == mask_.rows * row);
  });
  return fits;
}

void RowFacts::find_needs() {
  // Kernels that run all points know dead ones by the mask alone.
  for (auto& [buffer, rows] : rows_)
    rows.needed |= program_.buffers[buffer].kind != Buffer::Kind::scratch || is_mask(buffer);
  for (const Site& site : sites_) need_of_live(site);
  for (bool changed = true; changed;) {
    changed = false;
    for (const Site& site : sites_) changed |= need_of_dead(site);
  }
}

/// What live points, and kernels that have no steps and rows, read of dead elements.
void RowFacts::need_of_live(const Site& site) {
  each_access(site, [&](const Access& access, uint32_t acc, bool is_store) {
    auto rows = rows_.find(access.buffer);
    if (is_store || rows == rows_.end()) return;
    auto by = shift(site, access, acc);
    rows->second.needed |= !by || *by > rows->second.written;
  });
}

bool RowFacts::need_of_dead(const Site& site) {
  Kernel k = site.at ? at_dead_points(site) : folded(site, false);
  bool changed = false;
  auto need = [&](const Nodes& nodes) {
    for (const Node& n : nodes) {
      auto rows = n.op == ScalarOp::load ? rows_.find(n.access.buffer) : rows_.end();
      if (rows == rows_.end() || rows->second.needed) continue;
      changed = rows->second.needed = true;
    }
  };
  for (uint32_t a = 0; a < k.accs.size(); ++a) {
    Accumulator& acc = k.accs[a];
    if (site.at) {
      need(acc.nodes);
    } else if (site.in[a] && !site.skips[a]) {
      prune_nodes(acc.nodes, {acc.value});
      need(acc.nodes);
    }
  }
  if (site.at) need(k.nodes);
  return changed;
}

Kernel RowFacts::at_dead_points(const Site& site) const {
  Kernel k = folded(site, site.splits);
  std::erase_if(k.stores, [&](const Store& s) {
    if (site.splits && stores_nothing_new(k, s)) return true;
    auto rows = rows_.find(s.access.buffer);
    return rows != rows_.end() && !rows->second.needed && shift(site, s.access, kNone);
  });
  return prune_kernel(k);
}

}  // namespace rondo::codegen
