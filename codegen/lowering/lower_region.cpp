#include "codegen/lowering/lower_region.h"

#include <optional>

#include "codegen/lowering/in_place.h"
#include "codegen/lowering/placement.h"
#include "codegen/lowering/region_order.h"
#include "ir/op_def.h"
#include "support/error.h"

namespace rondo::codegen {

using namespace ir;

Stmt copy_kernel(const std::string& name, const Type& type, const View& from, const View& to) {
  // A function of one param and no ops: its only value is loaded from `from`.
  Builder b(name);
  Value v = b.param(type);
  Func identity = std::move(b).finish({v});
  std::vector<View> views = {from};
  KernelBuilder kernel(identity, type.shape, views, [](Value) { return false; });
  kernel.store(to, v);
  return {std::make_shared<Kernel>(std::move(kernel).finish(name)), nullptr, nullptr};
}

namespace {

/// The parts of a placed op, as its rule names them.
struct PlacedParts : Placer {
  struct Copy {
    int64_t axis, offset;
  };
  struct Rows {
    Value ids, rows;
    bool add = false;
    std::optional<Dim> repeated = std::nullopt;  // to the last row with that id; how many ids there are
  };
  std::vector<double> fills;
  std::vector<Copy> copies;
  std::vector<Value> starts;
  std::vector<Rows> scatters;

  void fill(double number) override { fills.push_back(number); }
  void copy(Value, int64_t axis, int64_t offset) override { copies.push_back({axis, offset}); }
  void start(Value v) override { starts.push_back(v); }
  void scatter_add(Value ids, Value updates) override { scatters.push_back({ids, updates, true}); }
  void scatter(Value ids, Value rows) override { scatters.push_back({ids, rows}); }
  void sum_repeated(Value ids, Value updates, const Dim& dim) override {
    scatters.push_back({ids, updates, true, dim});
  }
};

class RegionLowering {
 public:
  RegionLowering(ProgramBuilder& p, const Func& region, const std::vector<View>& params,
                 const std::vector<View>& destinations, bool in_loop)
      : p_(p),
        f_(region),
        in_loop_(in_loop),
        plan_(place(region, in_loop)),
        views_(region.values.size()),
        destinations_(region.values.size()),
        roots_(plan_.kernels),
        pieces_(plan_.kernels) {
    for (size_t i = 0; i < params.size(); ++i) views_[f_.params[i].id] = params[i];
    for (size_t i = 0; i < f_.results.size(); ++i)
      if (destinations[i]) destinations_[f_.results[i].id].push_back(destinations[i]);
    for (const Op& op : f_.ops)
      if (const Value v = op.result(); plan_.root[v.id]) roots_[plan_.kernel[v.id]].push_back(v);
    for (const Piece& piece : plan_.pieces) pieces_[piece.kernel].push_back(&piece);
  }

  std::vector<Stmt> run() {
    for (uint32_t i = 0; i < f_.ops.size(); ++i) find_home(i);
    for (uint32_t node : order_of(f_, plan_, in_loop_)) emit(node);
    for (uint32_t i = 0; i < f_.values.size(); ++i) copy_to_destinations({i});
    return std::move(stmts_);
  }

 private:
  /// A carry of a scan lives in one buffer that is overwritten, or, when ys hold its values too, in one row a
  /// step of a stacked buffer.
  struct Carry {
    bool stacked = false;
    View start, end;     // outside the loop
    View current, next;  // inside it, but for the loop's own stride
    Poly row;            // stacked: elements of a row
  };
  struct ScanPlan {
    std::vector<Carry> carries;
    std::vector<char> y_is_stacked;
  };

  OpClass cls(const Op& op) const { return def_of(op.kind).cls; }

  std::string name_of(Value v) const {
    if (!f_.value_name(v).empty()) return f_.value_name(v);
    const Op* op = f_.def(v);
    return op ? std::string(def_of(op->kind).name) + std::to_string(v.id) : "param" + std::to_string(v.id);
  }

  View home(Value v) {
    return destinations_[v.id].empty() ? p_.new_buffer(name_of(v), f_.type(v)) : destinations_[v.id].front();
  }

  void find_home(uint32_t i) {
    const Op& op = f_.ops[i];
    if (op.kind == OpKind::scan) {
      plan_scan(i);
    } else if (cls(op) == OpClass::placed) {
      PlacedParts parts;
      def_of(op.kind).place(parts, f_, op);
      placed_.emplace(i, std::move(parts));
      views_[op.result().id] = home(op.result());
    } else if (plan_.root[op.result().id]) {
      views_[op.result().id] = home(op.result());
    }
  }

  // --- scans

  void plan_scan(uint32_t i) {
    const Op& op = f_.ops[i];
    if (op.attrs.lengths)
      throw Error("rondo: a scan with lengths is not lowered; run the pass mask-lengths before");
    ScanView s(op);
    Poly trip(trip_count(f_, op));
    ScanPlan plan;
    plan.y_is_stacked.assign(s.ys, 0);
    for (uint32_t c = 0; c < s.carries; ++c) {
      Carry carry = stack(s, c, trip, plan);
      if (!carry.stacked) {
        View v = home(s.final_carry(c));
        carry.start = carry.end = carry.current = v;
      }
      views_[s.final_carry(c).id] = carry.end;
      plan.carries.push_back(std::move(carry));
    }
    for (uint32_t y = 0; y < s.ys; ++y)
      if (!plan.y_is_stacked[y]) views_[s.y(y).id] = home(s.y(y));
    scans_.emplace(i, std::move(plan));
  }

  static View rows(const View& row, const Poly& offset, const Poly& stride) {
    View v = row;
    v.offset += offset;
    v.strides.insert(v.strides.begin(), stride);
    return v;
  }

  /// If some y stacks the carry's value before or after the step: T+1 rows, of which both are windows.
  Carry stack(const ScanView& s, uint32_t c, const Poly& trip, ScanPlan& plan) {
    Carry carry;
    const Type& type = f_.type(s.final_carry(c));
    bool changes = s.next(c) != s.carry_param(c);
    carry.row = element_count(type.shape);
    bool reverse = s.op.attrs.reverse;
    View base;
    for (uint32_t y = 0; y < s.ys; ++y) {
      bool before = s.y_value(y) == s.carry_param(c), after = changes && s.y_value(y) == s.next(c);
      if (plan.y_is_stacked[y] || !(changes && (before || after))) continue;
      if (!carry.stacked) {
        BufferId buffer = p_.new_buffer(name_of(s.y(y)), type.dtype, (trip + Poly(1)) * carry.row);
        base = whole(buffer, type.shape);
        carry.stacked = true;
      }
      plan.y_is_stacked[y] = 1;
      views_[s.y(y).id] = rows(base, before != reverse ? Poly(0) : carry.row, carry.row);
    }
    if (!carry.stacked) return carry;
    auto at = [&](const Poly& row) {
      View v = base;
      v.offset += row * carry.row;
      return v;
    };
    carry.start = at(reverse ? trip : Poly(0));
    carry.end = at(reverse ? Poly(0) : trip);
    carry.current = at(reverse ? 1 : 0);
    carry.next = at(reverse ? 0 : 1);
    return carry;
  }

  static View in_loop(View v, LoopId loop, const Poly& stride) {
    v.outer.emplace_back(loop, stride);
    return v;
  }
  /// The slice of a stacked tensor at the loop's step, or its window.
  View slice_of(const ScanView& s, Value inside, View v, LoopId loop) const {
    if (s.is_window(inside))
      return in_loop(v, loop, v.strides.at(s.window_axis(inside)) * Poly(s.op.attrs.longest));
    v.outer.emplace_back(loop, v.strides.front());
    v.strides.erase(v.strides.begin());
    return v;
  }

  /// Whether no window has fewer steps than another.
  static bool has_equal_windows(const Op& op) {
    const Dim &steps = op.attrs.dim, &longest = op.attrs.longest;
    return op.attrs.window.is_named() && !steps.is_named() && !longest.is_named() &&
           steps.size() % longest.size() == 0;
  }

  std::vector<Stmt> lower_scan(uint32_t i) {
    const Op& op = f_.ops[i];
    ScanView s(op);
    const ScanPlan& plan = scans_.at(i);
    std::vector<Stmt> stmts;
    auto loop = std::make_shared<Loop>();
    loop->id = p_.loops++;
    loop->trip = Poly(trip_count(f_, op));
    loop->reverse = op.attrs.reverse;
    loop->chunks = op.attrs.chunks;
    loop->windows = s.windows();
    const bool equal = has_equal_windows(op);
    if (s.windows() && !equal)
      p_.program.counts.push_back(
          {op.attrs.window.name(), kNone, loop->id, Poly(op.attrs.longest), Poly(op.attrs.dim)});
    std::vector<View> params, destinations;
    for (uint32_t k = 0; k < s.consts; ++k) params.push_back(views_[s.const_operand(k).id]);
    for (uint32_t c = 0; c < s.carries; ++c) {
      const Carry& carry = plan.carries[c];
      const Type& type = f_.type(s.final_carry(c));
      stmts.push_back(init_kernel(name_of(s.final_carry(c)) + ".init", s.init(c), carry.start));
      params.push_back(carry.stacked ? in_loop(carry.current, loop->id, carry.row) : carry.current);
      if (carry.stacked)
        destinations.push_back(in_loop(carry.next, loop->id, carry.row));
      else
        destinations.push_back(s.next(c) == s.carry_param(c)
                                   ? View{}
                                   : p_.new_buffer(name_of(s.final_carry(c)) + ".next", type));
    }
    for (uint32_t k = 0; k < s.xs; ++k)
      params.push_back(slice_of(s, s.x_param(k), views_[s.x(k).id], loop->id));
    for (uint32_t y = 0; y < s.ys; ++y)
      destinations.push_back(plan.y_is_stacked[y] ? View{}
                                                  : slice_of(s, s.y_value(y), views_[s.y(y).id], loop->id));
    const Func body =
        equal ? replace_dims(s.body, {{op.attrs.window.name(), op.attrs.longest.size()}}) : s.body;
    loop->body = lower_region(p_, body, params, destinations, !s.windows());
    std::vector<Stmt> copies;
    for (uint32_t c = 0; c < s.carries; ++c) {
      const Carry& carry = plan.carries[c];
      if (carry.stacked || !destinations[c]) continue;
      if (!update_in_place(loop->body, destinations[c].buffer, carry.current, carry.current.buffer))
        copies.push_back(copy_kernel(name_of(s.final_carry(c)) + ".step", f_.type(s.final_carry(c)),
                                     destinations[c], carry.current));
    }
    loop->body.insert(loop->body.end(), copies.begin(), copies.end());
    stmts.push_back({nullptr, loop, nullptr});
    return stmts;
  }

  Stmt init_kernel(const std::string& name, Value v, const View& to) const {
    if (views_[v.id]) return copy_kernel(name, f_.type(v), views_[v.id], to);
    return fill_kernel(name, f_.type(v), f_.def(v)->attrs.number, to);
  }

  // --- placed ops

  Stmt fill_kernel(const std::string& name, const Type& type, double number, const View& to) const {
    KernelBuilder kernel(f_, type.shape, views_, [](Value) { return false; });
    kernel.store(to, kernel.constant(type.dtype, number), kernel.point());
    return {std::make_shared<Kernel>(std::move(kernel).finish(name)), nullptr, nullptr};
  }

  std::vector<Stmt> lower_placed(uint32_t i) {
    const Op& op = f_.ops[i];
    const PlacedParts& parts = placed_.at(i);
    const View& to = views_[op.result().id];
    std::vector<Stmt> stmts;
    for (double number : parts.fills)
      stmts.push_back(fill_kernel(name_of(op.result()) + ".fill", f_.type(op.result()), number, to));
    for (Value v : parts.starts)
      stmts.push_back(copy_kernel(name_of(op.result()) + ".start", f_.type(v), views_[v.id], to));
    for (const PlacedParts::Rows& part : parts.scatters) scatter(part, op.result(), stmts);
    return stmts;
  }

  void scatter(const PlacedParts::Rows& part, Value result, std::vector<Stmt>& stmts) {
    const View& to = views_[result.id];
    auto kernel_over = [&](Value v) {
      return KernelBuilder(f_, f_.type(v).shape, views_, [](Value) { return false; });
    };
    auto emit = [&](KernelBuilder kernel, const std::string& name) {
      stmts.push_back({std::make_shared<Kernel>(std::move(kernel).finish(name)), nullptr, nullptr});
    };
    KernelBuilder kernel = kernel_over(part.rows);
    if (part.repeated) {
      const std::string name = name_of(result) + ".last";
      const View last = p_.new_buffer(name, {DType::i32, {*part.repeated}});
      KernelBuilder positions = kernel_over(part.ids);
      positions.store_positions(last, *part.repeated, part.ids);
      emit(std::move(positions), name);
      kernel.add_at_positions(to, last, *part.repeated, part.ids, part.rows);
    } else {
      kernel.store_rows(to, f_.type(result).shape, part.ids, part.rows, part.add);
    }
    emit(std::move(kernel), name_of(result));
  }

  // --- kernels

  /// A kernel is called after what it stores.
  void append_name(std::string& name, Value v) const {
    if (name.size() > 60) return;
    if (!name.empty()) name += '_';
    name += name_of(v);
  }

  Stmt lower_kernel(uint32_t k) {
    auto in_kernel = [&](Value v) { return plan_.kernel[v.id] == static_cast<int64_t>(k); };
    KernelBuilder kernel(f_, plan_.dims[k], views_, in_kernel);
    std::string name;
    for (Value v : roots_[k]) {
      append_name(name, v);
      kernel.store(views_[v.id], v);
      for (size_t d = 1; d < destinations_[v.id].size(); ++d) kernel.store(destinations_[v.id][d], v);
    }
    for (const Piece* piece : pieces_[k]) {
      const Op& op = f_.ops[piece->op];
      const PlacedParts::Copy& copy = placed_.at(piece->op).copies.at(piece->operand);
      Indices at = kernel.point();
      at[copy.axis] = at[copy.axis] + copy.offset;
      kernel.store(views_[op.result().id], kernel.element(op.operands[piece->operand], kernel.point()), at);
      append_name(name, op.operands[piece->operand]);
    }
    return {std::make_shared<Kernel>(std::move(kernel).finish(name)), nullptr, nullptr};
  }

  // --- statements

  void emit(uint32_t n) {
    if (n < plan_.kernels) {
      stmts_.push_back(lower_kernel(n));
      return;
    }
    uint32_t i = n - plan_.kernels;
    std::vector<Stmt> stmts;
    if (f_.ops[i].kind == OpKind::scan)
      stmts = lower_scan(i);
    else if (cls(f_.ops[i]) == OpClass::placed)
      stmts = lower_placed(i);
    stmts_.insert(stmts_.end(), stmts.begin(), stmts.end());
  }

  /// Kernels store their roots to all destinations; other values are copied.
  void copy_to_destinations(Value v) {
    bool stored = f_.def(v) && plan_.root[v.id];
    if (stored) return;
    for (const View& to : destinations_[v.id])
      if (!(views_[v.id] == to))
        stmts_.push_back(copy_kernel(name_of(v) + ".copy", f_.type(v), views_[v.id], to));
  }

  ProgramBuilder& p_;
  const Func& f_;
  const bool in_loop_;
  Placement plan_;
  std::vector<View> views_;                      // per value: where it is, if in a buffer
  std::vector<std::vector<View>> destinations_;  // per value: where the region's results go
  std::map<uint32_t, ScanPlan> scans_;
  std::map<uint32_t, PlacedParts> placed_;
  std::vector<std::vector<Value>> roots_;          // per kernel
  std::vector<std::vector<const Piece*>> pieces_;  // per kernel
  std::vector<Stmt> stmts_;
};

}  // namespace

std::vector<Stmt> lower_region(ProgramBuilder& p, const Func& region, const std::vector<View>& params,
                               const std::vector<View>& destinations, bool in_loop) {
  return RegionLowering(p, region, params, destinations, in_loop).run();
}

}  // namespace rondo::codegen
