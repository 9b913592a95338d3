#include "codegen/loops/sync_threads.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "codegen/loops/fuse_rows.h"
#include "codegen/loops/split_kernels.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Which elements of a buffer threads reach.
struct Touch {
  BufferId buffer = kNone;
  bool write = false;
  bool alone = false;  // one thread does, always the same
  /// Else, where it is known that each thread reaches those of its share of the rows:
  struct Rows {
    Poly stride, extent;
    Split split;
  };
  std::optional<Rows> rows;
  /// The loops around it, each with the elements from what one of its steps reaches to what the next one
  /// does; 0: steps may reach the same.
  std::vector<std::pair<LoopId, Poly>> steps = {};
  LoopId earlier = kNone;  // the loop of which it was touched in an earlier step

  Poly step_of(LoopId loop) const {
    for (const auto& [id, step] : steps)
      if (id == loop) return step;
    return {};
  }
};

/// By memory: a slot of the arena, or an argument.
using Touches = std::multimap<uint32_t, Touch>;

class Synchronizer {
 public:
  Synchronizer(LoopProgram& program, const std::vector<Signature::Alias>& aliases) : program_(program) {
    for (uint32_t i = 0; i < program.inputs + program.outputs; ++i) homes_.push_back(i);
    for (const Signature::Alias& a : aliases) homes_.at(program.inputs + a.output) = a.input;
    find_trips(program.stmts);
  }

  void run() { walk(program_.stmts); }

 private:
  void find_trips(const std::vector<Stmt>& stmts) {
    for (const Stmt& s : stmts) {
      if (!s.loop) continue;
      trips_[s.loop->id] = at_most(program_, s.loop->trip);
      find_trips(s.loop->body);
    }
  }

  /// Places waits in statements that run after what is pending: touched since all threads last waited.
  void walk(std::vector<Stmt>& stmts) {
    for (Stmt& s : stmts) {
      const Touches own = touches(s);
      if (s.sync || meet(pending_, own)) {
        s.sync = true;
        pending_.clear();
      }
      if (!s.loop || s.loop->by_points || s.loop->rows) {
        pending_.insert(own.begin(), own.end());
        continue;
      }
      // A second walk sees what a step leaves to the next one. What stands before the loop may be pending
      // after it, if there are no steps.
      const Touches before = pending_;
      loops_.push_back(s.loop->id);
      walk(s.loop->body);
      become_earlier(s.loop->id);
      walk(s.loop->body);
      loops_.pop_back();
      pending_.insert(before.begin(), before.end());
    }
  }

  /// What is pending from a step of the loop, once the next one starts.
  void become_earlier(LoopId loop) {
    for (auto& [memory, touch] : pending_)
      if (std::ranges::any_of(touch.steps, [&](const auto& step) { return step.first == loop; }))
        touch.earlier = loop;
  }

  bool meet(const Touches& before, const Touches& now) const {
    return std::ranges::any_of(now, [&](const auto& touch) {
      const auto [first, last] = before.equal_range(touch.first);
      return std::any_of(first, last, [&](const auto& b) { return meet(b.second, touch.second); });
    });
  }

  /// Whether one thread may reach with one what another reaches with the other, later, and one of them
  /// writes.
  bool meet(const Touch& a, const Touch& b) const {
    if ((!a.write && !b.write) || (a.alone && b.alone)) return false;
    if (a.buffer == b.buffer && a.earlier != kNone) {
      const Poly step = a.step_of(a.earlier);
      if (!step.is_zero() && step == b.step_of(a.earlier)) return false;
    }
    const Buffer &from = program_.buffers[a.buffer], &to = program_.buffers[b.buffer];
    if (a.buffer == b.buffer && !from.own.is_zero()) return false;
    if (!a.rows || !b.rows || size_of(from.dtype) != size_of(to.dtype)) return true;
    return a.rows->stride != b.rows->stride || a.rows->extent != b.rows->extent ||
           !same(a.rows->split, b.rows->split, a.rows->extent);
  }

  bool same(const Split& a, const Split& b, const Poly& extent) const {
    if (a.in_turn || b.in_turn) return a.in_turn && b.in_turn;
    if (!extent.is_constant()) return a.grain == b.grain;
    for (int64_t t = 0; t < program_.threads; ++t)
      if (share_of(a, extent.constant(), t, program_.threads).first !=
          share_of(b, extent.constant(), t, program_.threads).first)
        return false;
    return true;
  }

  Touches touches(const Stmt& s) const {
    Touches found;
    if (s.kernel) add(*s.kernel, found);
    if (s.pack) add(*s.pack, found);
    if (s.loop && s.loop->rows)
      for (const Stmt& inner : row_body(*s.loop)) add(over_all_rows(*s.loop, *inner.kernel), found);
    else if (s.loop)
      for (const Stmt& inner : s.loop->body) found.merge(touches(inner));
    return found;
  }

  void add(const Kernel& k, Touches& found) const {
    const std::vector<Poly> dims = most(k.dims);
    auto add_nodes = [&](const Nodes& nodes, const std::vector<Poly>& extents) {
      for (const Node& n : nodes)
        if (n.op == ScalarOp::load) insert(found, touch(k, n.access, extents, false));
    };
    for (const Accumulator& acc : k.accs) {
      std::vector<Poly> extents = dims;
      for (const Poly& d : most(acc.dims)) extents.push_back(d);
      add_nodes(acc.nodes, extents);
    }
    add_nodes(k.nodes, dims);
    for (const Store& s : k.stores) insert(found, touch(k, s.access, dims, true));
    const bool alone = k.schedule.split.dim == kNone;
    for (BufferId id : k.schedule.packed)
      if (id != kNone) insert(found, {id, false, alone, {}});
    if (k.schedule.workspace != kNone) insert(found, {k.schedule.workspace, true, alone, {}});
    for (const Count& c : program_.counts)
      if (c.buffer != kNone) insert(found, {c.buffer, false, alone, {}});  // it may use any
  }

  void add(const Pack& pack, Touches& found) const {
    const Kernel& k = *pack.kernel;
    const bool alone = k.schedule.split.dim == kNone;
    insert(found, {k.schedule.packed.at(pack.group), true, alone, {}});
    for (const Accumulator& acc : k.accs)
      for (const Node& n : acc.nodes)
        if (n.op == ScalarOp::load) insert(found, {n.access.buffer, false, alone, {}});
  }

  Touch touch(const Kernel& k, const Access& access, const std::vector<Poly>& extents, bool write) const {
    const Split& split = k.schedule.split;
    Touch t{access.buffer, write, split.dim == kNone, {}};
    // An extent that changes from step to step changes who has a row, unless rows go in turn.
    const bool steady = split.dim != kNone && (split.in_turn || extents[split.dim] == k.dims[split.dim]);
    if (steady && tells(access, split.dim, extents, trips_))
      t.rows = {stride_of(access, split.dim), extents[split.dim], split};
    for (LoopId loop : loops_) t.steps.emplace_back(loop, step_of(access, loop, extents));
    return t;
  }

  /// Elements from what a step of the loop reaches to what the next one does, if they are apart.
  Poly step_of(Access access, LoopId loop, std::vector<Poly> extents) const {
    const Poly step = stride_of_loop(access, loop);
    std::erase_if(access.outer, [&](const auto& outer) { return outer.first == loop; });
    access.strides.insert(access.strides.begin(), step);
    extents.insert(extents.begin(), trips_.at(loop));
    return !step.is_zero() && tells(access, 0, extents, trips_) ? step : Poly();
  }

  void insert(Touches& found, Touch t) const {
    const Buffer& b = program_.buffers[t.buffer];
    if (b.kind == Buffer::Kind::input && b.arg >= homes_.size()) return;  // a prepared copy: all only read it
    const uint32_t memory =
        b.kind == Buffer::Kind::scratch ? b.slot + static_cast<uint32_t>(homes_.size()) : homes_.at(b.arg);
    found.emplace(memory, std::move(t));
  }

  std::vector<Poly> most(const std::vector<Poly>& extents) const {
    std::vector<Poly> result;
    for (const Poly& e : extents) result.push_back(at_most(program_, e));
    return result;
  }

  LoopProgram& program_;
  std::vector<uint32_t> homes_;  // the argument whose memory an argument has
  Trips trips_;
  Touches pending_;
  std::vector<LoopId> loops_;  // around the statement in hand
};

}  // namespace

void sync_threads(LoopProgram& program, const std::vector<Signature::Alias>& aliases) {
  Synchronizer(program, aliases).run();
}

}  // namespace rondo::codegen
