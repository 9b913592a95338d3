#include "codegen/loops/overwrite_rows.h"

#include <algorithm>

#include "codegen/kernels/schedule_gemm.h"
#include "codegen/loops/touches.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Whether the element is that of the number `variable`, which runs over a whole row.
bool is_element(const Touch& t, size_t variable) {
  const Access& a = *t.access;
  if (a.row != kNone || !a.outer.empty() || !a.offset.is_zero()) return false;
  for (size_t v = 0; v < t.extents.size(); ++v)
    if (t.extents[v] != Poly(1) && stride_of(a, v) != Poly(v == variable ? 1 : 0)) return false;
  return true;
}

bool is_column(const Touch& t) { return is_element(t, t.kernel->dims.size() - 1); }

class Overwriting {
 public:
  Overwriting(LoopProgram& program, const Target& target) : program_(program), target_(target) {}

  void run(const Signature::Alias& alias) {
    touches_ = touches_of(program_);
    const Touches& updates = touches_[argument(Buffer::Kind::output, program_.inputs + alias.output)];
    if (updates.size() != 1 || !is_copy(updates[0])) return;
    const BufferId old = argument(Buffer::Kind::input, alias.input);
    const BufferId temporary = updates[0].kernel->nodes[0].access.buffer;
    Touches& uses = touches_[temporary];
    const auto written = std::ranges::find_if(uses, &Touch::store);
    if (written == uses.end() || std::ranges::count_if(uses, &Touch::store) != 1 ||
        !can_overwrite(*written, touches_[old]))
      return;
    Kernel& kernel = *written->kernel;
    kernel.schedule.overwritten = old;
    for (Touch& t : uses) t.access->buffer = updates[0].access->buffer;
    // Stores take their turns, and the next call waits for this one.
    const auto store =
        std::ranges::find_if(kernel.stores, [&](const Store& s) { return &s.access == written->access; });
    std::rotate(kernel.stores.begin(), store, store + 1);
    program_.stmts.erase(program_.stmts.begin() + static_cast<std::ptrdiff_t>(updates[0].path[0].index));
  }

 private:
  BufferId argument(Buffer::Kind kind, uint32_t arg) const {
    const auto found = std::ranges::find_if(program_.buffers,
                                            [&](const Buffer& b) { return b.kind == kind && b.arg == arg; });
    return static_cast<BufferId>(found - program_.buffers.begin());
  }

  /// A statement that stores a row, element by element, of what the program computed before.
  bool is_copy(const Touch& t) const {
    const Kernel& k = *t.kernel;
    if (t.path.size() != 1 || !t.store || !is_column(t) || !k.accs.empty() || k.nodes.size() != 1 ||
        k.nodes[0].op != ScalarOp::load)
      return false;
    const BufferId from = k.nodes[0].access.buffer;
    const Touches& uses = touches_.at(from);
    return program_.buffers[from].kind == Buffer::Kind::scratch &&
           std::ranges::any_of(uses, [&](const Touch& u) { return u.kernel == &k && is_column(u); });
  }

  /// Whether a kernel in the row form may store there over what is read: as factors of its sums, term by
  /// term, and else each element before it is replaced. Of one row; it takes another as a row that stays.
  bool can_overwrite(const Touch& written, const Touches& reads) const {
    const Kernel& k = *written.kernel;
    return written.path.size() == 1 && k.schedule.overwritten == kNone &&
           k.schedule.form == Schedule::Form::row && has_all_columns(k, target_) && is_column(written) &&
           std::ranges::all_of(reads, [&](const Touch& r) {
             if (r.kernel != &k) return r.path[0].index < written.path[0].index;
             return !r.store && (r.in_accumulator ? is_element(r, k.dims.size()) : is_column(r));
           });
  }

  LoopProgram& program_;
  const Target& target_;
  std::map<BufferId, Touches> touches_;
};

}  // namespace

void overwrite_rows(LoopProgram& program, const Target& target,
                    const std::vector<Signature::Alias>& aliases) {
  for (const Signature::Alias& alias : aliases) Overwriting(program, target).run(alias);
}

}  // namespace rondo::codegen
