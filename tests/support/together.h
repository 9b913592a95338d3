// Compiled functions whose every call runs on several threads, however short it is.
#pragma once

#include <memory>

#include "codegen/compile.h"
#include "codegen/llvm/jit.h"
#include "codegen/loops/plan_memory.h"
#include "runtime/threads.h"
#include "support/error.h"

namespace rondo::test {

class Together : public Executable {
 public:
  Together(const ir::Func& func, codegen::CompileOptions options, int64_t threads) {
    options.threads = 1;
    alone_ = codegen::compile(func, options);
    options.threads = threads;
    program_ = codegen::lower(func, options);
    code_ = codegen::jit({}, codegen::target_for(), &program_);
    reserve_threads(threads);
  }

  const Signature& signature() const override { return alone_->signature(); }

  size_t scratch_bytes(const int64_t* dims) const override {
    ir::DimValues values;
    for (size_t i = 0; i < program_.dims.size(); ++i) values[program_.dims[i]] = dims[i];
    return static_cast<size_t>(codegen::scratch_bytes(program_, values));
  }

  void call(void* const* args, const int64_t* dims, void* scratch) const override {
    auto run = [&](Member* member) { code_->member_entry()(args, dims, scratch, member); };
    RONDO_CHECK(run_on_threads(program_.threads, run), "the threads are at work for another call");
  }

 private:
  std::shared_ptr<const Executable> alone_;
  ir::LoopProgram program_;
  std::unique_ptr<codegen::NativeCode> code_;
};

}  // namespace rondo::test
