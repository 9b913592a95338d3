#include "codegen/loops/schedule.h"

#include <algorithm>
#include <set>

#include "codegen/kernels/schedule_gemm.h"
#include "codegen/kernels/simplify_kernel.h"
#include "codegen/loops/point_loops.h"
#include "codegen/loops/prepare.h"
#include "codegen/loops/split_kernels.h"
#include "support/skip.h"

namespace rondo::codegen {
namespace {

using namespace ir;

/// Columns below which lanes would mostly idle.
constexpr int64_t kFewColumns = 4;
/// Multiply-adds from which blocking pays for its copies.
constexpr int64_t kLargeProduct = 1 << 18;
/// Rows from which a copy of the right operand pays.
constexpr int64_t kFewRows = 12;
/// What a named dim (T, B) is taken for where it matters only to speed.
constexpr int64_t kTypicalExtent = 16;

void written_buffers(const std::vector<Stmt>& stmts, std::set<BufferId>& out) {
  for (const Stmt& s : stmts) {
    if (s.kernel)
      for (const Store& store : s.kernel->stores) out.insert(store.access.buffer);
    if (s.loop) written_buffers(s.loop->body, out);
  }
}

class Scheduler {
 public:
  Scheduler(ProgramBuilder& p, const Target& target, const std::vector<uint32_t>& constants,
            const ScheduleChoice& choice, bool keeps_scratch)
      : p_(p), target_(target), constants_(constants), choice_(choice), keeps_scratch_(keeps_scratch) {}

  void run() { p_.program.stmts = walk(std::move(p_.program.stmts)); }

 private:
  struct Enclosing {
    const Loop* loop;
    std::set<BufferId> written;
    std::vector<Stmt> packs;  // to stand before the loop
  };

  std::vector<Stmt> walk(std::vector<Stmt> stmts) {
    std::vector<Stmt> out;
    for (Stmt& s : stmts) {
      if (s.kernel) visit(s.kernel);
      if (s.loop) {
        loops_.push_back({s.loop.get(), {}, {}});
        written_buffers(s.loop->body, loops_.back().written);
        s.loop->body = walk(std::move(s.loop->body));
        out.insert(out.end(), loops_.back().packs.begin(), loops_.back().packs.end());
        loops_.pop_back();
        s.loop->by_points = may_run_by_points(*s.loop);
        if (!s.loop->by_points || !linear_steps(*s.loop)) s.loop->chunks = 0;
      }
      out.push_back(std::move(s));
    }
    return out;
  }

  /// Extents that change from step to step (bound_rows.h), of this loop or one around it, keep time outside.
  bool may_run_by_points(const Loop& loop) const {
    const bool counts =
        std::ranges::any_of(p_.program.counts, [&](const Count& c) { return c.loop == loop.id; });
    return !counts && !is_skipped("by-points") && carried_elements(loop).has_value() &&
           std::ranges::all_of(loop.body[0].kernel->dims,
                               [&](const Poly& d) { return known_before_loops(d); });
  }

  void visit(const std::shared_ptr<Kernel>& kernel) {
    if (!is_gemm(*kernel)) return;
    const Poly& columns = kernel->dims.back();
    if (columns.is_constant() && columns.constant() < kFewColumns) return;
    // Machines without vectors have no registers for the sums of the row form.
    const bool row = target_.vector_registers >= 16 && is_row(*kernel);
    const bool in_place = row && right_in_rows(*kernel);
    kernel->schedule.form = row ? Schedule::Form::row : Schedule::Form::gemm;
    // Of other sizes each row ends in a vector of few lanes, and all start within lines of the cache.
    const bool whole_vectors = row && columns.constant() % gemm_lanes(*kernel, target_) == 0;
    if (in_place && whole_vectors && is_near_row(*kernel)) return;
    std::vector<GemmGroup> groups = gemm_groups(*kernel);
    follow_choice(*kernel, groups);
    kernel->schedule.packed.assign(groups.size(), kNone);
    const bool once = std::ranges::all_of(loops_, [](const Enclosing& in) { return in.loop->windows; });
    if (once && is_large(*kernel) && !is_prepared_whole(*kernel)) {
      kernel->schedule.form = Schedule::Form::gemm;
      kernel->schedule.block = true;
      const Poly most = at_most(p_.program, terms_of(*kernel));
      kernel->schedule.most_terms = most.is_constant() ? most.constant() : 0;
      kernel->schedule.workspace = p_.new_buffer(kernel->name + ".workspace", kernel->accs[0].dtype,
                                                 gemm_scratch_size(*kernel, target_));
      return;
    }
    for (uint32_t g = 0; g < groups.size(); ++g) pack(kernel, groups[g], g);
    if (!in_place && std::ranges::count(kernel->schedule.packed, kNone) > 0)
      kernel->schedule.form = Schedule::Form::gemm;
    if (keeps_scratch_ && loops_.empty() && kernel->schedule.form == Schedule::Form::row &&
        is_packed(*kernel) && !is_near_row(*kernel))
      kernel->schedule.workspace = p_.new_buffer(kernel->name + ".turn", DType::i32, 1);
  }

  /// A tile is told as a whole; the sums of a group share its vectors. One row has nothing to choose.
  void follow_choice(Kernel& kernel, const std::vector<GemmGroup>& groups) const {
    if (choice_.panel_kb > 0) kernel.schedule.panel_kb = choice_.panel_kb;
    const Poly rows = row_count(kernel);
    const int64_t most = rows.is_constant() ? rows.constant() : choice_.rows;
    if (choice_.rows == 0 || most < 2) return;
    size_t sums = 1;
    for (const GemmGroup& g : groups) sums = std::max(sums, g.accs.size());
    kernel.schedule.rows = static_cast<uint32_t>(std::min(choice_.rows, most));
    kernel.schedule.vectors =
        static_cast<uint32_t>(std::max<int64_t>(choice_.vectors / static_cast<int64_t>(sums), 1));
  }

  static Poly terms_of(const Kernel& kernel, uint32_t acc = 0) { return extent_of(kernel.accs[acc].dims); }

  /// Whether copies pay: each right operand is used by more than a few rows, and there is enough work, with
  /// kTypicalExtent for each named dim. What can't be read along its columns is copied even for one row, as a
  /// vector of it would be gathered element by element.
  bool is_large(const Kernel& kernel) const {
    if (!right_in_rows(kernel)) return true;
    const Poly rows = row_count(kernel);
    return typical(rows) >= kFewRows &&
           typical(rows * kernel.dims.back() * terms_of(kernel) * Poly(most_gates(kernel))) >= kLargeProduct;
  }

  /// Whether blocks would do no more for the caches than packed copies of constants do: a panel of those
  /// fits.
  bool is_prepared_whole(const Kernel& kernel) const {
    const Kernel merged = merge_dims(kernel, true);
    const int64_t most = 2 * most_terms_of_panel(merged, target_);
    const std::vector<GemmGroup> groups = gemm_groups(merged);
    for (uint32_t g = 0; g < groups.size(); ++g) {
      if (!is_prepared(kernel, g) || !left_in_runs(merged, groups[g])) return false;
      if (terms_of(merged, groups[g].accs[0]).constant() > most) return false;
    }
    return true;
  }

  bool is_prepared(const Kernel& kernel, uint32_t g) const {
    return can_prepare(kernel, g, [&](BufferId b) { return is_constant(b); });
  }

  int64_t typical(const Poly& p) const {
    int64_t sum = 0;
    for (const auto& [names, coefficient] : p.terms()) {
      int64_t product = coefficient;
      for (const std::string& name : names) {
        auto count = std::ranges::find(p_.program.counts, name, &Count::name);
        product *= count == p_.program.counts.end() ? kTypicalExtent : typical(count->most);
      }
      sum += product;
    }
    return sum;
  }

  /// Whether an extent is known before the loops.
  bool known_before_loops(const Poly& p) const {
    return std::ranges::none_of(p_.program.counts, [&](const Count& c) {
      return c.loop != kNone && std::ranges::any_of(p.terms(), [&](const auto& term) {
               return std::ranges::count(term.first, c.name) > 0;
             });
    });
  }

  bool invariant(const Kernel& kernel, const GemmGroup& group, const Enclosing& in) const {
    if (!std::ranges::all_of(kernel.accs[group.accs[0]].dims,
                             [&](const Poly& d) { return known_before_loops(d); }))
      return false;
    for (uint32_t a : group.accs) {
      const Access& right = *gemm_operands(kernel, a).right;
      if (in.written.count(right.buffer)) return false;
      for (const auto& [loop, stride] : right.outer)
        if (loop == in.loop->id) return false;
    }
    return true;
  }

  /// Packs before the outermost loop that leaves the operands alone.
  void pack(const std::shared_ptr<Kernel>& kernel, const GemmGroup& group, uint32_t g) {
    if (is_prepared(*kernel, g)) return prepare(kernel, g);
    size_t level = loops_.size();
    while (level > 0 && invariant(*kernel, group, loops_[level - 1])) --level;
    if (level == loops_.size()) return;
    kernel->schedule.packed[g] = packed_buffer(*kernel, g);
    loops_[level].packs.push_back({nullptr, nullptr, std::make_shared<Pack>(Pack{kernel, g})});
  }

  BufferId packed_buffer(const Kernel& kernel, uint32_t g) {
    return p_.new_buffer(kernel.name + ".packed" + std::to_string(g), kernel.accs[0].dtype,
                         packed_size(kernel, g, target_));
  }

  bool is_constant(BufferId b) const {
    const Buffer& buffer = p_.program.buffers[b];
    return buffer.kind == Buffer::Kind::input && std::ranges::count(constants_, buffer.arg) > 0;
  }

  void prepare(const std::shared_ptr<Kernel>& kernel, uint32_t g) {
    LoopProgram& program = p_.program;
    kernel->schedule.packed[g] = packed_buffer(*kernel, g);
    Buffer& buffer = program.buffers[kernel->schedule.packed[g]];
    buffer.kind = Buffer::Kind::input;
    buffer.arg = program.inputs + program.outputs + static_cast<uint32_t>(program.prepared.size());
    program.prepared.push_back({kernel, g});
  }

  ProgramBuilder& p_;
  const Target& target_;
  const std::vector<uint32_t>& constants_;
  const ScheduleChoice& choice_;
  bool keeps_scratch_;
  std::vector<Enclosing> loops_;
};

}  // namespace

void schedule(ProgramBuilder& p, const Target& target, const std::vector<uint32_t>& constants,
              const ScheduleChoice& choice, bool keeps_scratch) {
  Scheduler(p, target, constants, choice, keeps_scratch).run();
}

}  // namespace rondo::codegen
