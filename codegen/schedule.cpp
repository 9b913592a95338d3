#include "codegen/schedule.h"

#include <set>

#include "codegen/schedule_gemm.h"

namespace rondo::codegen {
namespace {

using namespace ir;

/// Columns below which lanes would mostly idle.
constexpr int64_t kFewColumns = 4;
/// Multiply-adds from which blocking pays for its copies.
constexpr int64_t kLargeProduct = 1 << 18;

void written_buffers(const std::vector<Stmt>& stmts, std::set<BufferId>& out) {
  for (const Stmt& s : stmts) {
    if (s.kernel)
      for (const Store& store : s.kernel->stores) out.insert(store.access.buffer);
    if (s.loop) written_buffers(s.loop->body, out);
  }
}

class Scheduler {
 public:
  Scheduler(ProgramBuilder& p, const Target& target) : p_(p), target_(target) {}

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
      }
      out.push_back(std::move(s));
    }
    return out;
  }

  void visit(const std::shared_ptr<Kernel>& kernel) {
    if (!is_gemm(*kernel)) return;
    const Poly& columns = kernel->dims.back();
    if (columns.is_constant() && columns.constant() < kFewColumns) return;
    kernel->schedule.form = Schedule::Form::gemm;
    std::vector<GemmGroup> groups = gemm_groups(*kernel);
    kernel->schedule.packed.assign(groups.size(), kNone);
    if (loops_.empty()) {
      if (!is_large(*kernel)) return;
      kernel->schedule.block = true;
      kernel->schedule.workspace =
          p_.new_buffer(kernel->name + ".workspace", kernel->accs[0].dtype, gemm_scratch_size(*kernel, target_));
      return;
    }
    for (uint32_t g = 0; g < groups.size(); ++g) pack(kernel, groups[g], g);
  }

  /// Work that grows with two named dims (T and B) is large whatever it is worth in numbers.
  static bool is_large(const Kernel& kernel) {
    Poly work = 1;
    for (const Poly& d : kernel.dims) work = work * d;
    for (const Poly& d : kernel.accs[0].dims) work = work * d;
    size_t names = 0;
    int64_t coefficient = 1;
    for (const auto& [term, c] : work.terms()) {
      names = std::max(names, term.size());
      coefficient = c;
    }
    return names >= 2 || (names == 0 && coefficient >= kLargeProduct);
  }

  bool invariant(const Kernel& kernel, const GemmGroup& group, const Enclosing& in) const {
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
    size_t level = loops_.size();
    while (level > 0 && invariant(*kernel, group, loops_[level - 1])) --level;
    if (level == loops_.size()) return;
    kernel->schedule.packed[g] = p_.new_buffer(kernel->name + ".packed" + std::to_string(g),
                                               kernel->accs[group.accs[0]].dtype, packed_size(*kernel, g, target_));
    loops_[level].packs.push_back({nullptr, nullptr, std::make_shared<Pack>(Pack{kernel, g})});
  }

  ProgramBuilder& p_;
  const Target& target_;
  std::vector<Enclosing> loops_;
};

}  // namespace

void schedule(ProgramBuilder& p, const Target& target) { Scheduler(p, target).run(); }

}  // namespace rondo::codegen
