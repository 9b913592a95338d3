#include <fmt/format.h>

#include <algorithm>

#include "codegen/compile.h"
#include "codegen/loops/bound_rows.h"
#include "codegen/loops/fuse_rows.h"
#include "codegen/loops/merge_sums.h"
#include "codegen/loops/nest_buffers.h"
#include "codegen/loops/overwrite_rows.h"
#include "codegen/loops/pack_parts.h"
#include "codegen/loops/plan_memory.h"
#include "codegen/loops/schedule.h"
#include "codegen/loops/share_columns.h"
#include "codegen/loops/split_kernels.h"
#include "codegen/loops/sync_threads.h"
#include "codegen/lowering/in_place.h"
#include "codegen/lowering/lower_region.h"
#include "ir/index_bounds.h"
#include "support/error.h"
#include "support/skip.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Drops kernels that have no points, as those of tensors without columns, and loops of nothing else.
void drop_empty(std::vector<Stmt>& stmts) {
  std::erase_if(stmts, [](const Stmt& s) {
    if (s.kernel) return std::ranges::count(s.kernel->dims, Poly(0)) > 0;
    drop_empty(s.loop->body);
    return s.loop->body.empty();
  });
}

class FunctionLowering {
 public:
  FunctionLowering(const Func& func, const CompileOptions& options) : f_(func), options_(options) {}

  LoopProgram run() {
    LoopProgram& program = p_.program;
    program.name = f_.name;
    program.dims = named_dims(f_);
    program.inputs = static_cast<uint32_t>(f_.params.size());
    program.outputs = static_cast<uint32_t>(f_.results.size());
    program.bounds = index_bounds(f_);
    for (uint32_t i = 0; i < program.inputs; ++i)
      inputs_.push_back(argument(f_.params[i], Buffer::Kind::input, i));
    for (uint32_t i = 0; i < program.outputs; ++i)
      outputs_.push_back(argument(f_.results[i], Buffer::Kind::output, program.inputs + i));
    std::vector<View> destinations = outputs_;
    for (const Signature::Alias& alias : options_.aliases) {
      check_alias(alias);
      destinations[alias.output] =
          p_.new_buffer(f_.value_name(f_.params[alias.input]) + ".new", f_.type(f_.results[alias.output]));
    }
    program.stmts = lower_region(p_, f_, inputs_, destinations);
    for (const Signature::Alias& alias : options_.aliases) finish_update(alias, destinations[alias.output]);
    drop_empty(program.stmts);
    if (options_.bound_rows) bound_rows(p_);
    if (!is_skipped("merge-sums")) merge_sums(program);
    if (!is_skipped("share-columns")) share_columns(p_);
    if (!is_skipped("nest-buffers")) nest_buffers(program);
    const Target target = target_for(options_.cpu, options_.features, options_.triple);
    // Threads share blocks out, and do not walk them.
    const bool keeps_scratch = options_.threads == 1;
    schedule(p_, target, options_.constants, parse_schedule(options_.schedule), keeps_scratch);
    // Threads share columns, and each reads the state of all.
    if (options_.threads == 1 && !is_skipped("overwrite-rows"))
      overwrite_rows(program, target, options_.aliases);
    if (!is_skipped("fuse-rows")) fuse_rows(p_, options_.aliases, options_.threads);
    if (options_.threads > 1)
      split_kernels(program, target, options_.threads);
    else if (!is_skipped("pack-parts"))
      pack_parts(program, options_.aliases);
    plan_memory(program);
    if (options_.threads > 1) sync_threads(program, options_.aliases);
    return std::move(program);
  }

 private:
  View argument(Value v, Buffer::Kind kind, uint32_t arg) {
    std::string name = f_.value_name(v).empty()
                           ? fmt::format("{}{}", kind == Buffer::Kind::input ? "in" : "out", arg)
                           : f_.value_name(v);
    View view = p_.new_buffer(name, f_.type(v));
    Buffer& buffer = p_.program.buffers[view.buffer];
    buffer.kind = kind;
    buffer.arg = arg;
    return view;
  }

  void check_alias(const Signature::Alias& alias) const {
    if (alias.input >= f_.params.size() || alias.output >= f_.results.size() ||
        f_.type(f_.params[alias.input]) != f_.type(f_.results[alias.output]))
      throw Error(fmt::format(
          "rondo: {}: output {} can't update input {} in place: no such arguments, or their types differ",
          f_.name, alias.output, alias.input));
  }

  /// The new value goes over the old one: at once if nothing reads the old one any more, else by a copy at
  /// the end.
  void finish_update(const Signature::Alias& alias, const View& temporary) {
    const View& output = outputs_[alias.output];
    std::vector<Stmt>& stmts = p_.program.stmts;
    if (update_in_place(stmts, temporary.buffer, output, inputs_[alias.input].buffer)) return;
    Value v = f_.params[alias.input];
    stmts.push_back(copy_kernel(f_.value_name(v) + ".update", f_.type(v), temporary, output));
  }

  const Func& f_;
  const CompileOptions& options_;
  ProgramBuilder p_;
  std::vector<View> inputs_, outputs_;
};

}  // namespace

LoopProgram lower(const Func& func, const CompileOptions& options) {
  return FunctionLowering(func, options).run();
}

}  // namespace rondo::codegen
