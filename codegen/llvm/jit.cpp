#include "codegen/llvm/jit.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>

#include "codegen/llvm/emit.h"
#include "codegen/llvm/machine.h"
#include "codegen/loops/prepare.h"
#include "support/stage_dump.h"

namespace rondo::codegen {

namespace {

constexpr const char *kEntry = "rondo_entry", *kMemberEntry = "rondo_member_entry",
                     *kFreezeEntry = "rondo_freeze_entry", *kMemberFreezeEntry = "rondo_member_freeze_entry";

class JitCode : public NativeCode {
 public:
  explicit JitCode(std::unique_ptr<llvm::MemoryBuffer> object)
      : jit_(expect(llvm::orc::LLJITBuilder().create())) {
    expect(jit_->addObjectFile(std::move(object)));
    entry_ = expect(jit_->lookup(kEntry)).toPtr<Entry>();
    member_entry_ = if_there<MemberEntry>(kMemberEntry);
    freeze_entry_ = if_there<Entry>(kFreezeEntry);
    member_freeze_entry_ = if_there<MemberEntry>(kMemberFreezeEntry);
  }
  Entry entry() const override { return entry_; }
  MemberEntry member_entry() const override { return member_entry_; }
  Entry freeze_entry() const override { return freeze_entry_; }
  MemberEntry member_freeze_entry() const override { return member_freeze_entry_; }

 private:
  template <class F>
  F if_there(const char* name) {
    auto found = jit_->lookup(name);
    if (found) return found->template toPtr<F>();
    llvm::consumeError(found.takeError());
    return nullptr;
  }

  std::unique_ptr<llvm::orc::LLJIT> jit_;
  Entry entry_;
  MemberEntry member_entry_ = nullptr;
  Entry freeze_entry_ = nullptr;
  MemberEntry member_freeze_entry_ = nullptr;
};

}  // namespace

std::string compile_object(const ir::LoopProgram& program, const ir::LoopProgram* together,
                           const Target& target, const CompileOptions& options, CompileTimes& times) {
  Stopwatch watch;
  std::unique_ptr<llvm::TargetMachine> machine = machine_for(target.triple, target.cpu, target.features);
  llvm::LLVMContext context;
  llvm::Module module(program.name, context);
  module.setTargetTriple(target.triple);
  module.setDataLayout(machine->createDataLayout());
  emit_program(module, program, target, kEntry);
  if (together) emit_program(module, *together, target, kMemberEntry);
  if (!program.prepared.empty())
    emit_program(module, packing(program, program.prepared), target, kFreezeEntry);
  if (together && !together->prepared.empty())
    emit_program(module, packing(*together, together->prepared), target, kMemberFreezeEntry);
  watch.lap(times.emit);
  const StageDump dump(options.dump_dir, program.name);
  if (dump.on()) dump.write("30.ll", to_string(module));
  verify(module);
  watch.lap(times.emit);
  optimize(module, *machine);
  watch.lap(times.optimize);
  if (dump.on()) {
    dump.write("31-opt.ll", to_string(module));
    dump.write("32.s", assembly(module, *machine));
  }
  double dumping = 0;
  watch.lap(dumping);
  auto object = machine_code(module, *machine, llvm::CodeGenFileType::ObjectFile);
  watch.lap(times.machine);
  return object->getBuffer().str();
}

std::unique_ptr<NativeCode> load_object(std::string_view object) {
  return std::make_unique<JitCode>(llvm::MemoryBuffer::getMemBufferCopy(object, "rondo"));
}

std::unique_ptr<NativeCode> jit(const ir::LoopProgram& program, const Target& target,
                                const ir::LoopProgram* together) {
  CompileTimes times;
  return load_object(compile_object(program, together, target, {}, times));
}

std::vector<std::string> undefined_symbols(const ir::LoopProgram& program, const Target& target) {
  CompileTimes times;
  const std::string object = compile_object(program, nullptr, target, {}, times);
  return undefined_symbols(llvm::MemoryBufferRef(object, "rondo"));
}

}  // namespace rondo::codegen
