#include "codegen/llvm/emit.h"

#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <algorithm>
#include <utility>

#include "codegen/kernels/schedule_gemm.h"
#include "codegen/loops/fuse_rows.h"
#include "support/error.h"
#include "support/skip.h"

namespace rondo::codegen {

using namespace ir;

namespace {

// Programs of this many kernels or fewer are one function: there, a call and its set-up cost as much as a
// small kernel.
constexpr size_t kInlineKernels = 4;

/// Whether the time of all products is that of a chain of operations.
bool are_chains(const std::vector<Stmt>& stmts, const Target& target) {
  return std::ranges::all_of(stmts, [&](const Stmt& s) {
    if (s.loop) return are_chains(s.loop->body, target);
    return s.kernel && (is_chain(*s.kernel, target) || s.kernel->schedule.form == Schedule::Form::vector);
  });
}

size_t count_kernels(const std::vector<Stmt>& stmts) {
  size_t count = 0;
  for (const Stmt& s : stmts) count += s.loop && !s.loop->rows ? count_kernels(s.loop->body) : 1;
  return count;
}

/// A function that takes a pointer and sets MXCSR to the word there.
llvm::Function* mode_setter(const llvm::Function& entry, llvm::Module& module) {
  llvm::IRBuilder<> b(module.getContext());
  auto* type = llvm::FunctionType::get(b.getVoidTy(), {b.getPtrTy()}, false);
  auto* setter =
      llvm::Function::Create(type, llvm::Function::InternalLinkage, entry.getName() + "_set_mode", module);
  setter->setAttributes(entry.getAttributes());
  setter->addFnAttr(llvm::Attribute::NoInline);
  b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "entry", setter));
  b.CreateIntrinsic(llvm::Intrinsic::x86_sse_ldmxcsr, {}, {setter->getArg(0)});
  b.CreateRetVoid();
  return setter;
}

/// A function that runs `body` in a floating-point mode of its own, and leaves the caller's as it was. A call
/// parts them, since nothing else keeps LLVM from moving arithmetic across a change of the mode.
///
/// A Zen 5 foretells the mode that an LDMXCSR sets, from a few bits that it makes of the instruction's
/// address and of addresses that calls returned to before. Two that set different modes and have the same
/// bits are foretold wrong each time, and all after them waits for all before: a small step then takes 1.4 to
/// 2 times as long, and whether it does would depend on where the code is loaded and on what its caller did.
/// So one instruction sets both modes, and the address that its second call returns to stands a block of 32
/// bytes or more after those of the calls before it.
void emit_in_own_mode(FunctionBuilder entry, llvm::Function* body) {
  // MXCSR: all exceptions masked, round to nearest, results (15) and operands (6) that are denormal are zero.
  constexpr uint32_t kMode = 0x1f80 | 1 << 15 | 1 << 6;
  llvm::IRBuilder<>& b = entry.b;
  llvm::Value *callers = entry.stack(b.getInt32Ty(), 1), *own = entry.stack(b.getInt32Ty(), 1);
  llvm::Function* set_mode = mode_setter(*b.GetInsertBlock()->getParent(), entry.module());
  b.CreateIntrinsic(llvm::Intrinsic::x86_sse_stmxcsr, {}, {callers});
  b.CreateStore(b.getInt32(kMode), own);
  b.CreateCall(set_mode, {own});
  entry.call(body, {});
  auto* nothing = llvm::FunctionType::get(b.getVoidTy(), false);
  b.CreateCall(llvm::InlineAsm::get(nothing, ".p2align 5\nnop\n.p2align 5", "", true));
  b.CreateCall(set_mode, {callers});
  entry.finish();
}

class ProgramEmitter {
 public:
  ProgramEmitter(llvm::Module& module, const LoopProgram& program, const Target& target,
                 const std::string& entry)
      : module_(module), program_(program), target_(target), main_(module, program, target, entry, {}) {
    // Counts are read where a function starts: those of windows where a window's function does.
    const bool counts_start =
        std::ranges::all_of(program.counts, [](const Count& c) { return c.buffer == kNone; });
    inline_ = counts_start && count_kernels(program.stmts) <= kInlineKernels && !is_skipped("inline");
    if (inline_ && are_chains(program.stmts, target)) main_.mark_chain();
    emit(program.stmts);
    llvm::Function* code = main_.finish();
    if (!target.flushes_denormals) return;
    code->setName(entry + "_code");
    emit_in_own_mode(FunctionBuilder(module, program, target, entry, {}), code);
  }

 private:
  void emit(const std::vector<Stmt>& stmts) {
    for (size_t i = 0; i < stmts.size(); ++i) {
      const Stmt& s = stmts[i];
      if (s.sync) at_->sync();
      if (s.kernel && s.kernel->schedule.form == Schedule::Form::none) continue;
      if (s.loop && s.loop->by_points)
        emit_by_points(*s.loop);
      else if (s.loop && s.loop->rows)
        emit_over_rows(*s.loop, next_product(stmts, i));
      else if (s.loop)
        emit(*s.loop);
      else if (s.pack)
        by_threads(*s.pack->kernel,
                   [&](const Kernel& part, const Share* share) { emit(*s.pack, part, share); });
      else
        by_threads(*s.kernel,
                   [&](const Kernel& part, const Share* share) { emit(part, share, runs_of(stmts, i)); });
    }
  }

  /// What a thread runs of a kernel: its part, or one thread all of it.
  void by_threads(const Kernel& kernel,
                  const std::function<void(const Kernel& part, const Share* share)>& emit_part_of) {
    if (program_.threads == 1) return emit_part_of(kernel, nullptr);
    if (kernel.schedule.split.dim == kNone) {
      llvm::Value* first = at_->b.CreateICmpEQ(at_->thread(), at_->i64(0));
      return at_->if_then(first, [&] { emit_part_of(kernel, nullptr); });
    }
    const KernelPart part = part_of(kernel, program_.threads);
    emit_part_of(part.kernel, &part.share);
  }

  /// What a product in a step may ask for.
  StepRuns runs_of(const std::vector<Stmt>& step, size_t i) const {
    const bool is_tiled = step[i].kernel->schedule.form == Schedule::Form::gemm;
    return is_tiled && loop_ && &step == &loop_->body ? runs_after(*loop_, i, program_.threads) : StepRuns{};
  }

  void emit(const Kernel& kernel, const Share* share, const StepRuns& ahead) {
    emit_part(kernel.name, share, [&](FunctionBuilder& f) {
      for (const Share& s : ahead.shares) f.define(s);
      f.kernel = inline_ ? nullptr : &kernel;
      if (!inline_ && is_chain(kernel, target_)) f.mark_chain();
      const Schedule::Form form = kernel.schedule.form;
      if (form == Schedule::Form::vector)
        emit_vector_kernel(f, kernel);
      else if (form == Schedule::Form::row && is_row(kernel))
        emit_row_kernel(f, kernel);
      else  // also a thread's part of a row, if its size is known at the call only
        emit_gemm_kernel(f, kernel, ahead.runs);
    });
  }

  void emit_over_rows(const Loop& loop, const NextProduct& next) {
    by_threads(over_all_rows(loop, *row_body(loop).front().kernel), [&](const Kernel&, const Share* share) {
      emit_part(name_of_rows(loop), share, [&](FunctionBuilder& f) {
        if (!inline_ && loop.trip == Poly(1)) f.mark_chain();  // a single row, each sum of which waits
        emit_rows(f, loop, share, next);
      });
    });
  }

  /// Of a step whose statement `rows` is a loop over rows.
  NextProduct next_product(const std::vector<Stmt>& step, size_t rows) const {
    if (at_->loops().empty()) return {};
    for (size_t n = 1; n < step.size(); ++n) {
      const size_t i = (rows + n) % step.size();
      if (step[i].loop) return {};
      const Kernel* k = step[i].kernel.get();
      if (!k || k->schedule.form == Schedule::Form::vector) continue;
      const bool far = k->schedule.form == Schedule::Form::row && is_packed(*k) && !is_near_row(*k);
      return far ? NextProduct{k, at_->loops().back(), i < rows} : NextProduct{};
    }
    return {};
  }

  void emit(const Pack& pack, const Kernel& part, const Share* share) {
    emit_part("pack", share, [&](FunctionBuilder& f) {
      emit_pack(f, {std::make_shared<Kernel>(part), pack.group, pack.source, pack.first});
    });
  }

  /// Both ways but for chunks, whose rounding is one for all sizes: which is faster depends on dims that may
  /// be known at the call only.
  void emit_by_points(const Loop& loop) {
    auto by_points = [&] {
      by_threads(*loop.body[0].kernel, [&](const Kernel& part, const Share* share) {
        Loop own = loop;
        own.body = {{std::make_shared<Kernel>(part), nullptr, nullptr}};
        emit_part(part.name, share, [&](FunctionBuilder& f) { emit_point_loop(f, own); });
      });
    };
    if (loop.chunks) return by_points();
    FunctionBuilder& f = *at_;
    llvm::Value* few = few_points(f, loop);
    f.if_then(few, by_points);
    f.if_then(f.b.CreateNot(few), [&] { emit(loop); });
  }

  void emit(const Loop& loop) {
    FunctionBuilder& f = *at_;
    const Loop* const around = std::exchange(loop_, &loop);
    llvm::Value* trip = f.poly(loop.trip);
    f.for_each(f.i64(0), trip, 1, [&](llvm::Value* i) {
      if (loop.reverse) i = f.b.CreateNSWSub(f.b.CreateNSWSub(trip, f.i64(1)), i);
      f.enter_loop(loop.id, i);
      if (loop.windows)
        emit_window(loop);
      else
        emit(loop.body);
      f.leave_loop();
    });
    loop_ = around;
  }

  /// A function of its own, as counts are read where a function starts.
  void emit_window(const Loop& loop) {
    FunctionBuilder window(module_, program_, target_, "window", at_->loops());
    FunctionBuilder* const caller = std::exchange(at_, &window);
    emit(loop.body);
    at_ = caller;
    at_->call(window.finish(), {});
  }

  /// Register allocation costs more than linear time, so that large programs compile a function per kernel.
  void emit_part(const std::string& name, const Share* share,
                 const std::function<void(FunctionBuilder&)>& emit_body) {
    if (inline_) {
      if (share) at_->define(*share);
      return emit_body(*at_);
    }
    FunctionBuilder part(module_, program_, target_, name, at_->loops());
    if (share) part.define(*share);
    emit_body(part);
    at_->call(part.finish(), {});
  }

  llvm::Module& module_;
  const LoopProgram& program_;
  const Target& target_;
  FunctionBuilder main_;
  FunctionBuilder* at_ = &main_;  // the function in hand: the program's, or a window's
  const Loop* loop_ = nullptr;    // the innermost loop around, if it is of time
  bool inline_ = false;
};

}  // namespace

void emit_program(llvm::Module& module, const LoopProgram& program, const Target& target,
                  const std::string& entry) {
  ProgramEmitter(module, program, target, entry);
}

}  // namespace rondo::codegen
