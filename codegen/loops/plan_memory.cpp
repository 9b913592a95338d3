#include "codegen/loops/plan_memory.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <set>

namespace rondo::codegen {
namespace {

using namespace ir;

/// From the first statement to the last, in the order of the program's text.
struct Interval {
  int64_t first = 0, last = 0;
};

class LifeTimes {
 public:
  LifeTimes(const LoopProgram& program, const std::vector<BufferId>& hosts)
      : program_(program), hosts_(hosts) {
    number(program.stmts);
    visit(program.stmts, {}, false);
  }

  /// The life of a buffer: every use widened to the outermost loop that does not hold all uses; all the time,
  /// if the next call finds it.
  Interval life(BufferId b) const {
    if (kept_.contains(b)) return {0, clock_};
    const auto& uses = paths_.at(b);
    const size_t common = loops_around(b);
    Interval life = uses.front()[common].span;
    for (const auto& path : uses) {
      life.first = std::min(life.first, path[common].span.first);
      life.last = std::max(life.last, path[common].span.last);
    }
    return life;
  }
  bool used(BufferId b) const { return paths_.count(b) > 0; }

  /// How many loops hold all uses of a buffer.
  size_t loops_around(BufferId b) const {
    const auto& uses = paths_.at(b);
    size_t common = uses.front().size() - 1;
    for (const auto& path : uses) {
      size_t k = 0;
      while (k < common && k + 1 < path.size() && path[k].loop == uses.front()[k].loop) ++k;
      common = k;
    }
    return common;
  }

 private:
  struct Step {
    const Loop* loop;  // null for the statement itself
    Interval span;
  };
  using Path = std::vector<Step>;

  void number(const std::vector<Stmt>& stmts) {
    for (const Stmt& s : stmts) {
      Interval span{clock_++, 0};
      if (s.loop) number(s.loop->body);
      span.last = clock_++;
      spans_[&s] = span;
    }
  }

  /// `at_once`: as one statement. Threads run the kernels of rows each at its own pace.
  void visit(const std::vector<Stmt>& stmts, const Path& outer, bool at_once) {
    for (const Stmt& s : stmts) {
      Path path = outer;
      if (!at_once) path.push_back({s.loop.get(), spans_.at(&s)});
      if (s.loop) visit(s.loop->body, path, at_once || (s.loop->rows && program_.threads > 1));
      if (s.kernel) visit_kernel(*s.kernel, path);
      if (s.pack) {
        const Kernel& k = *s.pack->kernel;
        note(k.schedule.packed[s.pack->group], path);
        for (const Accumulator& acc : k.accs) visit_nodes(acc.nodes, path);
      }
    }
  }

  void visit_nodes(const Nodes& nodes, const Path& path) {
    for (const Node& n : nodes)
      if (n.op == ScalarOp::load) note(n.access.buffer, path);
  }

  void visit_kernel(const Kernel& k, const Path& path) {
    for (const Accumulator& acc : k.accs) visit_nodes(acc.nodes, path);
    visit_nodes(k.nodes, path);
    for (const Store& s : k.stores) note(s.access.buffer, path);
    for (BufferId b : k.schedule.packed) note(b, path);
    note(k.schedule.workspace, path);
    if (k.schedule.form == Schedule::Form::row && k.schedule.workspace != kNone)
      kept_.insert(hosts_[k.schedule.workspace]);
    for (const Count& c : program_.counts) note(c.buffer, path);  // kernels may use any
  }

  void note(BufferId b, const Path& path) {
    if (b != kNone) paths_[hosts_[b]].push_back(path);
  }

  const LoopProgram& program_;
  const std::vector<BufferId>& hosts_;
  std::map<const Stmt*, Interval> spans_;
  std::map<BufferId, std::vector<Path>> paths_;
  std::set<BufferId> kept_;  // from call to call
  int64_t clock_ = 0;
};

/// Surely at least as large, whatever the named dims (which are not negative).
bool covers(const Poly& a, const Poly& b) {
  for (const auto& [term, coefficient] : b.terms()) {
    auto it = a.terms().find(term);
    if (it == a.terms().end() ? coefficient > 0 : it->second < coefficient) return false;
  }
  return std::all_of(a.terms().begin(), a.terms().end(), [](const auto& t) { return t.second >= 0; });
}

Poly bytes_of(const Buffer& buffer) {
  return buffer.size * Poly(static_cast<int64_t>(size_of(buffer.dtype)));
}

/// What a named dim (T, B) is taken for to compare sizes.
constexpr int64_t kTypicalExtent = 64;

}  // namespace

MemoryPlan plan_slots(const LoopProgram& program, const std::vector<BufferId>& hosts) {
  LifeTimes lives(program, hosts);
  struct Entry {
    BufferId buffer;
    Poly bytes;
    Interval life;
    bool in_loop;
  };
  std::vector<Entry> entries;
  for (BufferId b = 0; b < program.buffers.size(); ++b)
    if (program.buffers[b].kind == Buffer::Kind::scratch && lives.used(b))
      entries.push_back({b, bytes_of(program.buffers[b]), lives.life(b), lives.loops_around(b) > 0});
  DimValues typical;
  for (const std::string& dim : program.dims) typical[dim] = kTypicalExtent;
  // Large ones first, so that small ones find room in their slots, not they in none.
  std::ranges::stable_sort(entries, {}, [](const Entry& e) { return e.life.first; });
  std::ranges::stable_sort(entries, std::greater(),
                           [&](const Entry& e) { return e.bytes.evaluate(typical); });
  MemoryPlan plan{{}, std::vector<uint32_t>(program.buffers.size(), kNone)};
  std::vector<std::vector<Interval>> lives_in;  // per slot
  for (const Entry& e : entries) {
    uint32_t best = kNone;
    for (uint32_t s = 0; s < plan.slots.size(); ++s) {
      const bool busy = std::ranges::any_of(
          lives_in[s], [&](const Interval& i) { return i.first <= e.life.last && e.life.first <= i.last; });
      // Threads wait where they have other parts of a slot than before: not in each step.
      const bool waits = program.threads > 1 && e.in_loop && plan.slots[s] != e.bytes;
      if (busy || waits || !covers(plan.slots[s], e.bytes)) continue;
      if (best == kNone || covers(plan.slots[best], plan.slots[s])) best = s;
    }
    if (best == kNone) {
      best = static_cast<uint32_t>(plan.slots.size());
      plan.slots.push_back(e.bytes);
      lives_in.emplace_back();
    }
    lives_in[best].push_back(e.life);
    plan.slot_of[e.buffer] = best;
  }
  return plan;
}

int64_t arena_bytes(const std::vector<Poly>& slots, const DimValues& dims) {
  int64_t total = 0;
  for (const Poly& slot : slots) total += (slot.evaluate(dims) + 63) / 64 * 64;
  return total;
}

void plan_memory(LoopProgram& program) {
  std::vector<BufferId> own(program.buffers.size());
  std::iota(own.begin(), own.end(), 0);
  MemoryPlan plan = plan_slots(program, own);
  for (BufferId b = 0; b < own.size(); ++b) program.buffers[b].slot = plan.slot_of[b];
  program.slots = std::move(plan.slots);
}

int64_t scratch_bytes(const LoopProgram& program, const DimValues& dims) {
  return arena_bytes(program.slots, dims);
}

}  // namespace rondo::codegen
