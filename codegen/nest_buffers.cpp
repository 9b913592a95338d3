#include "codegen/nest_buffers.h"

#include <algorithm>
#include <map>
#include <optional>

#include "codegen/plan_memory.h"
#include "codegen/point_loops.h"
#include "codegen/split_kernels.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// What a named dim (T, B) is taken for to compare sizes.
constexpr int64_t kTypicalExtent = 16;

/// One access to a buffer.
struct Touch {
  /// The statement at each depth, from the program down to the kernel.
  struct Step {
    size_t index;
    const Loop* loop;  // null for the kernel
  };
  std::vector<Step> path;
  const Kernel* kernel;
  Access* access;
  std::vector<Poly> extents;  // of the access's variables, at most
  bool store, in_accumulator;
};
using Touches = std::vector<Touch>;

/// Columns of the rows of a host: element q * width + c stands at q * host_width + column + c.
struct Place {
  int64_t width, host_width, column;
};

/// The same access with all touches in the host's terms.
struct Placed {
  const Touch* touch;
  Access access;
};

std::optional<Poly> quotient(const Poly& p, int64_t by) {
  Poly result;
  for (const auto& [names, coefficient] : p.terms()) {
    if (coefficient % by != 0) return std::nullopt;
    result += product(names, coefficient / by);
  }
  return result;
}

/// The access in the host, if it is plain which variables count rows and which columns.
std::optional<Access> placed(const Touch& t, const Place& place) {
  Access a = *t.access;
  if (place.width == place.host_width) return a;
  bool fits = true;
  auto scale = [&](Poly& stride) {
    const std::optional<Poly> rows = quotient(stride, place.width);
    fits = fits && rows;
    if (rows) stride = *rows * Poly(place.host_width);
  };
  const int64_t column = (a.offset.constant() % place.width + place.width) % place.width;
  int64_t last = column;
  for (size_t v = 0; v < a.strides.size(); ++v) {
    Poly& stride = a.strides[v];
    if (quotient(stride, place.width)) {
      scale(stride);
    } else {
      if (!stride.is_constant() || !t.extents[v].is_constant() || stride.constant() < 0) return std::nullopt;
      last += stride.constant() * std::max<int64_t>(t.extents[v].constant() - 1, 0);
    }
  }
  for (auto& [loop, stride] : a.outer) scale(stride);
  if (a.row != kNone) scale(a.row_stride);
  a.offset = a.offset - Poly(column);
  scale(a.offset);
  a.offset += Poly(place.column + column);
  return fits && last < place.width ? std::optional(a) : std::nullopt;
}

bool not_negative(const Poly& p) {
  return std::ranges::all_of(p.terms(), [](const auto& term) { return term.second >= 0; });
}

class Nester {
 public:
  explicit Nester(LoopProgram& program)
      : program_(program), fixed_(program.buffers.size()), hosts_(program.buffers.size()) {
    for (const std::string& dim : program.dims) typical_[dim] = kTypicalExtent;
    for (BufferId b = 0; b < hosts_.size(); ++b) {
      hosts_[b] = b;
      fixed_[b] = program.buffers[b].kind != Buffer::Kind::scratch;
    }
    for (const Count& c : program.counts)
      if (c.buffer != kNone) fixed_[c.buffer] = true;
    collect(program.stmts, {}, false);
  }

  void run() {
    for (BufferId host : all_candidates())
      if (is_candidate(host)) fill(host);
  }

 private:
  struct Member {
    BufferId buffer;
    Place place;
    std::vector<Placed> accesses;
  };
  using Group = std::vector<Member>;

  // --- what there is

  void collect(std::vector<Stmt>& stmts, const std::vector<Touch::Step>& outer, bool by_points) {
    for (size_t i = 0; i < stmts.size(); ++i) {
      std::vector<Touch::Step> path = outer;
      path.push_back({i, stmts[i].loop.get()});
      if (const auto& loop = stmts[i].loop) {
        trips_[loop->id] = at_most(program_, loop->trip);
        collect(loop->body, path, carried_elements(*loop).has_value());
      }
      if (stmts[i].kernel) collect(*stmts[i].kernel, path, by_points);
    }
  }

  void collect(Kernel& k, const std::vector<Touch::Step>& path, bool by_points) {
    std::vector<Poly> extents;
    for (const Poly& d : k.dims) extents.push_back(at_most(program_, d));
    auto note = [&](Access& a, const std::vector<Poly>& scope, bool store, bool in_accumulator) {
      if (by_points) fixed_[a.buffer] = true;
      touches_[a.buffer].push_back({path, &k, &a, scope, store, in_accumulator});
    };
    for (Accumulator& acc : k.accs) {
      std::vector<Poly> scope = extents;
      for (const Poly& d : acc.dims) scope.push_back(at_most(program_, d));
      for (Node& n : acc.nodes)
        if (n.op == ScalarOp::load) note(n.access, scope, false, true);
    }
    for (Node& n : k.nodes)
      if (n.op == ScalarOp::load) note(n.access, extents, false, false);
    for (Store& s : k.stores) note(s.access, extents, true, false);
  }

  int64_t typical_size(BufferId b) const { return program_.buffers[b].size.evaluate(typical_); }

  bool is_candidate(BufferId b) const { return !fixed_[b] && hosts_[b] == b && touches_.contains(b); }

  std::vector<BufferId> all_candidates() const {
    std::vector<BufferId> result;
    for (BufferId b = 0; b < hosts_.size(); ++b)
      if (is_candidate(b)) result.push_back(b);
    return result;
  }

  // --- who may stand where

  /// The columns of the host that hold one row of the buffer, from `column` on; none if rows do not fit rows.
  std::optional<Member> member(BufferId b, BufferId host, int64_t width, int64_t column) {
    Member m{b, {width, program_.buffers[host].row, column}, {}};
    for (const Touch& t : touches_.at(b)) {
      std::optional<Access> access = placed(t, m.place);
      if (!access) return std::nullopt;
      m.accesses.push_back({&t, std::move(*access)});
    }
    return m;
  }

  /// The width of a row of b of which the host has one in each of its own; 0 if there is none.
  int64_t width_in(BufferId b, BufferId host) const {
    const Buffer &inner = program_.buffers[b], &outer = program_.buffers[host];
    const int64_t size = typical_size(b), width = outer.row * size / std::max<int64_t>(typical_size(host), 1);
    const bool fits =
        inner.dtype == outer.dtype && width > 0 && inner.size * Poly(outer.row) == outer.size * Poly(width);
    return fits ? width : 0;
  }

  static bool meet(const Place& a, const Place& b) {
    return a.column < b.column + b.width && b.column < a.column + a.width;
  }

  bool fits(const Group& group, const Member& m) const {
    return std::ranges::all_of(group, [&](const Member& other) {
      return !meet(other.place, m.place) || hands_over(refer(other), refer(m), 0, true) ||
             hands_over(refer(m), refer(other), 0, true);
    });
  }

  using Refs = std::vector<const Placed*>;
  static Refs refer(const Member& m) {
    Refs refs;
    for (const Placed& p : m.accesses) refs.push_back(&p);
    return refs;
  }

  /// Whether no element of `old` is reached once an element of `fresh` is written over it. All are inside the
  /// same loops down to `depth`, at one step of each. `whole`: there is no other access to the two.
  bool hands_over(const Refs& old, const Refs& fresh, size_t depth, bool whole) const {
    auto index = [&](const Placed* p) { return p->touch->path[depth].index; };
    const size_t last = index(*std::ranges::max_element(old, {}, index));
    const size_t first = index(*std::ranges::min_element(fresh, {}, index));
    if (last != first) return last < first;
    auto here = [&](const Refs& all) {
      Refs some;
      std::ranges::copy_if(all, std::back_inserter(some), [&](const Placed* p) { return index(p) == first; });
      return some;
    };
    const Refs old_here = here(old), fresh_here = here(fresh);
    const Loop* loop = old_here.front()->touch->path[depth].loop;
    if (!loop) return at_the_same_point(old_here, fresh_here);
    // What is used in one loop only lives from its first to its last use in a step.
    const bool all_here = whole && old_here.size() == old.size() && fresh_here.size() == fresh.size();
    return (all_here || step_by_step(old_here, fresh_here, loop->id)) &&
           hands_over(old_here, fresh_here, depth + 1, all_here);
  }

  /// Whether what different steps reach is disjoint.
  bool step_by_step(const Refs& old, const Refs& fresh, LoopId loop) const {
    const Poly step = stride_of_loop(old.front()->access, loop);
    auto within_step = [&](const Placed* p) {
      const Access& a = p->access;
      Poly last = a.offset;
      bool fine = stride_of_loop(a, loop) == step;
      auto moves = [&](const Poly& by, const Poly& extent) {
        fine = fine && not_negative(by);
        last += by * (extent - Poly(1));
      };
      for (size_t v = 0; v < a.strides.size(); ++v)
        if (!a.strides[v].is_zero()) moves(a.strides[v], p->touch->extents[v]);
      // Loops around this one are at one step, or have been found disjoint.
      bool inside = false;
      for (const Touch::Step& s : p->touch->path) {
        if (inside && s.loop) moves(stride_of_loop(a, s.loop->id), trips_.at(s.loop->id));
        inside = inside || (s.loop && s.loop->id == loop);
      }
      if (a.row != kNone) moves(a.row_stride, a.rows);
      return fine && not_negative(a.offset) && not_negative(step - last - Poly(1));
    };
    return !step.is_zero() && std::ranges::all_of(old, within_step) &&
           std::ranges::all_of(fresh, within_step);
  }

  /// Whether a kernel reads old elements at the points only that write fresh ones over them.
  bool at_the_same_point(const Refs& old, const Refs& fresh) const {
    auto reads = [](const Placed* p) { return !p->touch->store && !p->touch->in_accumulator; };
    auto writes = [](const Placed* p) { return p->touch->store; };
    if (!std::ranges::all_of(old, reads) || !std::ranges::all_of(fresh, writes)) return false;
    return std::ranges::all_of(old, [&](const Placed* a) {
      return std::ranges::all_of(fresh, [&](const Placed* b) { return one_point(*a, *b); });
    });
  }

  /// Whether the two reach one element at one point of their kernel only.
  bool one_point(const Placed& a, const Placed& b) const {
    const std::vector<Poly>& extents = a.touch->extents;
    if (a.access.row != kNone || b.access.row != kNone) return false;
    for (size_t v = 0; v < extents.size(); ++v) {
      if (extents[v] == Poly(1)) continue;
      if (stride_of(a.access, v) != stride_of(b.access, v) || !tells(a.access, v, extents, trips_) ||
          !tells(b.access, v, extents, trips_))
        return false;
    }
    return true;
  }

  // --- groups

  /// What hands over to the host, or it to them, at the points of a kernel; then to these, and so on.
  std::vector<BufferId> linked(BufferId host) {
    std::vector<Member> open, found = {*member(host, host, program_.buffers[host].row, 0)};
    for (BufferId b : all_candidates())
      if (const int64_t width = b == host ? 0 : width_in(b, host))
        if (std::optional<Member> m = member(b, host, width, 0)) open.push_back(std::move(*m));
    for (size_t next = 0; next < found.size(); ++next)
      for (size_t i = 0; i < open.size();) {
        if (share_kernel(found[next].buffer, open[i].buffer) && fits({found[next]}, open[i])) {
          found.push_back(std::move(open[i]));
          open.erase(open.begin() + static_cast<int64_t>(i));
        } else {
          ++i;
        }
      }
    std::vector<BufferId> result;
    for (size_t i = 1; i < found.size(); ++i) result.push_back(found[i].buffer);
    std::ranges::sort(result);  // in the order of the program
    std::ranges::stable_sort(result,
                             [&](BufferId x, BufferId y) { return typical_size(x) > typical_size(y); });
    return result;
  }

  bool share_kernel(BufferId a, BufferId b) const {
    return std::ranges::any_of(touches_.at(a), [&](const Touch& x) {
      return std::ranges::any_of(touches_.at(b), [&](const Touch& y) { return x.kernel == y.kernel; });
    });
  }

  /// What fits into the host, each where there is room first.
  Group grouped(BufferId host, const std::vector<BufferId>& candidates) {
    const int64_t row = program_.buffers[host].row;
    Group group = {*member(host, host, row, 0)};
    for (BufferId b : candidates) {
      const int64_t width = width_in(b, host);
      for (int64_t column = 0; column + width <= row; column += width) {
        Member m = *member(b, host, width, column);
        if (!fits(group, m)) continue;
        group.push_back(std::move(m));
        break;
      }
    }
    return group;
  }

  int64_t arena(const Group& group) const {
    std::vector<BufferId> hosts = hosts_;
    for (const Member& m : group) hosts[m.buffer] = group.front().buffer;
    return arena_bytes(plan_slots(program_, hosts).slots, typical_);
  }

  /// Nests into the host what makes the arena smallest: with the small ones first, or the large ones.
  void fill(BufferId host) {
    std::vector<BufferId> candidates = linked(host);
    auto size = [&](BufferId b) { return typical_size(b); };
    std::ranges::stable_sort(candidates, std::greater(), size);
    const Group large_first = grouped(host, candidates);
    std::ranges::stable_sort(candidates, std::less(), size);
    const Group small_first = grouped(host, candidates);
    const Group& best = arena(large_first) < arena(small_first) ? large_first : small_first;
    if (arena(best) >= arena({*member(host, host, program_.buffers[host].row, 0)})) return;
    for (const Member& m : best) {
      for (const Placed& p : m.accesses) {
        *p.touch->access = p.access;
        p.touch->access->buffer = host;
      }
      hosts_[m.buffer] = host;
    }
    fixed_[host] = true;
  }

  LoopProgram& program_;
  DimValues typical_;
  std::vector<char> fixed_;      // per buffer: keeps its place
  std::vector<BufferId> hosts_;  // per buffer: where it stands
  std::map<BufferId, Touches> touches_;
  Trips trips_;
};

}  // namespace

void nest_buffers(LoopProgram& program) { Nester(program).run(); }

}  // namespace rondo::codegen
