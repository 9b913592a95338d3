#include "codegen/loops/nest_buffers.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "codegen/loops/plan_memory.h"
#include "codegen/loops/point_loops.h"
#include "codegen/loops/touches.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// What named dims (T, B) are taken for to compare sizes: few rows in all, and more than blocks of them have.
constexpr int64_t kTypicalExtents[] = {16, 3, 64};

/// The same access with all touches in the host's terms.
struct Placed {
  const Touch* touch;
  Access access;
  ColumnRange columns;  // of the host's rows
};

bool not_negative(const Poly& p) {
  return std::ranges::all_of(p.terms(), [](const auto& term) { return term.second >= 0; });
}

class Nester {
 public:
  explicit Nester(LoopProgram& program)
      : program_(program),
        fixed_(program.buffers.size()),
        hosts_(program.buffers.size()),
        touches_(touches_of(program)),
        trips_(trips_of(program)) {
    for (size_t i = 0; i < std::size(kTypicalExtents); ++i)
      for (const std::string& dim : program.dims) typical_[i][dim] = kTypicalExtents[i];
    for (BufferId b = 0; b < hosts_.size(); ++b) {
      hosts_[b] = b;
      fixed_[b] = program.buffers[b].kind != Buffer::Kind::scratch || program.buffers[b].row < 1;
    }
    for (const Count& c : program.counts)
      if (c.buffer != kNone) fixed_[c.buffer] = true;
    for (const auto& [buffer, touches] : touches_)
      for (const Touch& t : touches)
        if (t.loop() && carried_elements(*t.loop())) by_points_.insert(t.loop());
  }

  void run() {
    for (BufferId host : all_candidates())
      if (is_candidate(host) && !is_of_a_step(host)) fill(host);
  }

 private:
  struct Member {
    BufferId buffer;
    Place place;
    std::vector<Placed> accesses;
  };
  using Group = std::vector<Member>;

  // --- what there is

  int64_t typical_size(BufferId b) const { return program_.buffers[b].size.evaluate(typical_[0]); }

  bool is_candidate(BufferId b) const { return !fixed_[b] && hosts_[b] == b && touches_.contains(b); }

  /// Whether all steps of a loop use the same elements: there is little to save.
  bool is_of_a_step(BufferId b) const {
    return std::ranges::any_of(touches_.at(b), [](const Touch& t) {
      return t.loop() && !t.loop()->windows && t.access->outer.empty();
    });
  }

  std::vector<BufferId> all_candidates() const {
    std::vector<BufferId> result;
    for (BufferId b = 0; b < hosts_.size(); ++b)
      if (is_candidate(b)) result.push_back(b);
    return result;
  }

  // --- who may stand where

  /// The buffer in a place of the host; none if rows do not fit rows.
  std::optional<Member> member(BufferId b, const Place& place, BufferId host) {
    Member m{b, place, {}};
    for (const Touch& t : touches_.at(b)) {
      std::optional<Access> access = placed(t, m.place);
      if (!access) return std::nullopt;
      access->buffer = host;
      const ColumnRange columns = columns_of(*access, t.extents, m.place.host_width);
      m.accesses.push_back({&t, std::move(*access), columns});
    }
    return m;
  }

  Place whole(BufferId host) const {
    const int64_t row = program_.buffers[host].row;
    return {row, row, 0};
  }

  /// Where b might stand in a host: in columns, of which each row of the host holds a row of b, or in the
  /// rows of all steps of a state that has one more, for what it is before the first.
  std::vector<Place> places_in(BufferId b, BufferId host) const {
    const Buffer &inner = program_.buffers[b], &outer = program_.buffers[host];
    if (b == host || inner.dtype != outer.dtype) return {};
    if (const Poly more = outer.size - inner.size; !inner.size.is_constant() && more.is_constant()) {
      const int64_t first = more.constant();
      if (first > 0 && first % outer.row == 0) return {{outer.row, outer.row, 0, first}};
    }
    const int64_t width = outer.row * typical_size(b) / std::max<int64_t>(typical_size(host), 1);
    std::vector<Place> places;
    if (width > 0 && inner.size * Poly(outer.row) == outer.size * Poly(width))
      for (int64_t column = 0; column + width <= outer.row; column += width)
        places.push_back({width, outer.row, column});
    return places;
  }

  bool fits(const Group& group, const Member& m) const {
    return std::ranges::all_of(group, [&](const Member& other) { return are_apart(other, m); });
  }

  /// Whether two may stand where they do, as one hands over to the other what both use.
  bool are_apart(const Member& a, const Member& b) const {
    const int64_t first = std::max(a.place.first, b.place.first);
    const Refs to_b = refs_to(a, b.place, first), to_a = refs_to(b, a.place, first);
    if (to_a.empty() || to_b.empty()) return true;
    if (first == 0) return hands_over(to_b, to_a, 0, {true}) || hands_over(to_a, to_b, 0, {true});
    return hands_over(to_b, stores_of(to_a), 0, {false, first}) ||
           hands_over(to_a, stores_of(to_b), 0, {false, first});
  }

  using Refs = std::vector<const Placed*>;
  /// The accesses of a member to what another one in that place may use too: elements from `first` on.
  static Refs refs_to(const Member& m, const Place& place, int64_t first) {
    Refs refs;
    for (const Placed& p : m.accesses)
      if (p.columns.first < place.column + place.width && place.column < p.columns.end &&
          !ends_before(p, first))
        refs.push_back(&p);
    return refs;
  }

  static bool ends_before(const Placed& p, int64_t element) {
    const Access& a = p.access;
    Poly end = a.offset + Poly(1);
    for (size_t v = 0; v < a.strides.size(); ++v)
      if (!a.strides[v].is_zero()) end += a.strides[v] * (p.touch->extents[v] - Poly(1));
    return a.outer.empty() && a.row == kNone && end.is_constant() && end.constant() <= element;
  }

  /// What is read was written before, so that it is enough to know when that was.
  static Refs stores_of(const Refs& refs) {
    Refs stores;
    std::ranges::copy_if(refs, std::back_inserter(stores), [](const Placed* p) { return p->touch->store; });
    return stores;
  }

  struct Common {
    bool whole;         // there is no other access to the two
    int64_t first = 0;  // element from which both are
  };

  /// Whether no element of `old` is reached once an element of `fresh` is written over it. All are inside the
  /// same loops down to `depth`, at one step of each.
  bool hands_over(const Refs& old, const Refs& fresh, size_t depth, Common common) const {
    if (fresh.empty()) return false;
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
    common.whole = common.whole && old_here.size() == old.size() && fresh_here.size() == fresh.size();
    return (common.whole || step_by_step(old_here, fresh_here, loop->id, common.first)) &&
           hands_over(old_here, fresh_here, depth + 1, common);
  }

  /// Whether what different steps reach from element `first` on is disjoint.
  bool step_by_step(const Refs& old, const Refs& fresh, LoopId loop, int64_t first) const {
    const Poly step = stride_of_loop(old.front()->access, loop);
    auto within_step = [&](const Placed* p) {
      const Access& a = p->access;
      const Poly start = a.offset - Poly(first);
      Poly last = start;
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
      return fine && not_negative(start) && not_negative(step - last - Poly(1));
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

  /// What hands over to the host, or it to them; then to these, and so on.
  std::vector<BufferId> linked(BufferId host) {
    std::vector<Member> open, found = {*member(host, whole(host), host)};
    for (BufferId b : all_candidates())
      if (const std::vector<Place> places = places_in(b, host); !places.empty())
        if (std::optional<Member> m = member(b, places[0], host)) open.push_back(std::move(*m));
    for (size_t next = 0; next < found.size(); ++next)
      for (size_t i = 0; i < open.size();) {
        if (fits({found[next]}, open[i])) {
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

  /// What fits into the host, each where there is room first.
  Group grouped(BufferId host, const std::vector<BufferId>& candidates) {
    Group group = {*member(host, whole(host), host)};
    for (BufferId b : candidates)
      for (const Place& place : places_in(b, host)) {
        std::optional<Member> m = member(b, place, host);
        if (!m || !fits(group, *m)) continue;
        group.push_back(std::move(*m));
        break;
      }
    return group;
  }

  using Bytes = std::array<int64_t, std::size(kTypicalExtents)>;

  /// Of the arena, for each of the typical extents.
  Bytes arena(const Group& group) const {
    std::vector<BufferId> hosts = hosts_;
    for (const Member& m : group) hosts[m.buffer] = group.front().buffer;
    const std::vector<Poly> slots = plan_slots(program_, hosts).slots;
    Bytes bytes;
    std::ranges::transform(typical_, bytes.begin(),
                           [&](const DimValues& dims) { return arena_bytes(slots, dims); });
    return bytes;
  }

  static bool is_less(const Bytes& a, const Bytes& b) {
    return a != b && std::ranges::equal(a, b, std::less_equal());
  }

  /// Nests into the host what makes the arena smallest: with the large ones first, or the small ones.
  void fill(BufferId host) {
    std::vector<BufferId> candidates = linked(host);
    auto size = [&](BufferId b) { return typical_size(b); };
    Group best = grouped(host, {});
    Bytes least = arena(best);
    auto try_in_order = [&] {
      const Group group = grouped(host, candidates);
      if (const Bytes bytes = arena(group); is_less(bytes, least)) best = group, least = bytes;
    };
    std::ranges::stable_sort(candidates, std::greater(), size);
    try_in_order();
    std::ranges::stable_sort(candidates, std::less(), size);
    try_in_order();
    if (best.size() == 1) return;
    exchange(best);
    if (!keeps_points()) return exchange(best);
    for (const Member& m : best) hosts_[m.buffer] = host;
    fixed_[host] = true;
  }

  /// Accesses to the members become those to the host; once more, what they were.
  static void exchange(Group& group) {
    for (Member& m : group)
      for (Placed& p : m.accesses) std::swap(*p.touch->access, p.access);
  }

  /// Whether every loop may still run by points that could before.
  bool keeps_points() const {
    return std::ranges::all_of(by_points_, [](const Loop* l) { return carried_elements(*l).has_value(); });
  }

  LoopProgram& program_;
  std::array<DimValues, std::size(kTypicalExtents)> typical_;
  std::vector<char> fixed_;      // per buffer: keeps its place
  std::vector<BufferId> hosts_;  // per buffer: where it stands
  std::map<BufferId, Touches> touches_;
  std::set<const Loop*> by_points_;  // loops of one kernel whose points may walk by themselves
  Trips trips_;
};

}  // namespace

void nest_buffers(LoopProgram& program) { Nester(program).run(); }

}  // namespace rondo::codegen
