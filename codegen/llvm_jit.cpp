#include "codegen/llvm_jit.h"

#include <fmt/format.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <chrono>
#include <mutex>

#include "codegen/llvm_emit.h"
#include "support/error.h"
#include "support/stage_dump.h"

namespace rondo::codegen {

namespace {

constexpr const char* kEntry = "rondo_entry";

void initialize_targets() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
  });
}

std::unique_ptr<llvm::TargetMachine> machine_for(const std::string& triple, const std::string& cpu,
                                                 const std::string& features) {
  initialize_targets();
  std::string problem;
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(triple, problem);
  if (!found) throw Error(fmt::format("rondo: no code generator for {}: {}", triple, problem));
  std::unique_ptr<llvm::TargetMachine> machine(
      found->createTargetMachine(triple, cpu, features, llvm::TargetOptions(), llvm::Reloc::PIC_,
                                 llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
  if (!machine->getMCSubtargetInfo()->isCPUStringValid(cpu))
    throw Error(fmt::format("rondo: {} has no CPU {}", triple, cpu));
  return machine;
}

/// Adds the time since the last lap to a figure.
class Stopwatch {
 public:
  void lap(double& seconds) {
    auto now = std::chrono::steady_clock::now();
    seconds += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// The few passes that pay: vectors, tiles and unrolling come from the emission, so that no loop needs to be
/// found again.
void optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::PreserveCFG));
  passes.addPass(llvm::EarlyCSEPass(false));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), true));
  passes.addPass(llvm::EarlyCSEPass(true));
  llvm::ModulePassManager all;
  all.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
  all.run(module, modules);
}

std::unique_ptr<llvm::MemoryBuffer> machine_code(llvm::Module& module, llvm::TargetMachine& machine,
                                                 llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out(bytes);
  llvm::legacy::PassManager passes;
  bool unsupported = machine.addPassesToEmitFile(passes, out, nullptr, type);
  RONDO_CHECK(!unsupported, "the target emits no objects");
  passes.run(module);
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(std::move(bytes), "rondo", false);
}

std::string to_string(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream(text) << module;
  return text;
}

template <class T>
T expect(llvm::Expected<T> result) {
  if (!result) throw InternalError("rondo: LLVM: " + llvm::toString(result.takeError()));
  return std::move(*result);
}

void expect(llvm::Error error) {
  if (error) throw InternalError("rondo: LLVM: " + llvm::toString(std::move(error)));
}

class JitCode : public NativeCode {
 public:
  explicit JitCode(std::unique_ptr<llvm::MemoryBuffer> object)
      : jit_(expect(llvm::orc::LLJITBuilder().create())) {
    expect(jit_->addObjectFile(std::move(object)));
    entry_ = expect(jit_->lookup(kEntry)).toPtr<Entry>();
  }
  Entry entry() const override { return entry_; }

 private:
  std::unique_ptr<llvm::orc::LLJIT> jit_;
  Entry entry_;
};

std::unique_ptr<llvm::MemoryBuffer> compile_object(const ir::LoopProgram& program, const Target& target,
                                                   const CompileOptions& options, CompileTimes& times) {
  Stopwatch watch;
  std::unique_ptr<llvm::TargetMachine> machine = machine_for(target.triple, target.cpu, target.features);
  llvm::LLVMContext context;
  llvm::Module module(program.name, context);
  module.setTargetTriple(target.triple);
  module.setDataLayout(machine->createDataLayout());
  emit_program(module, program, target, kEntry);
  watch.lap(times.emit);
  const StageDump dump(options.dump_dir, program.name);
  if (dump.on()) dump.write("30.ll", to_string(module));
  std::string problem;
  llvm::raw_string_ostream problems(problem);
  RONDO_CHECK(!llvm::verifyModule(module, &problems), problem);
  watch.lap(times.emit);
  optimize(module, *machine);
  watch.lap(times.optimize);
  if (dump.on()) {
    dump.write("31-opt.ll", to_string(module));
    auto text = machine_code(*llvm::CloneModule(module), *machine, llvm::CodeGenFileType::AssemblyFile);
    dump.write("32.s", text->getBuffer().str());
  }
  double dumping = 0;
  watch.lap(dumping);
  auto object = machine_code(module, *machine, llvm::CodeGenFileType::ObjectFile);
  watch.lap(times.machine);
  return object;
}

}  // namespace

Target target_for(const std::string& cpu, const std::string& features) {
  Target target;
  target.triple = llvm::sys::getProcessTriple();
  target.cpu = cpu.empty() ? llvm::sys::getHostCPUName().str() : cpu;
  target.features = features;
  if (cpu.empty() && features.empty()) {
    for (const auto& feature : llvm::sys::getHostCPUFeatures()) {
      if (!target.features.empty()) target.features += ',';
      target.features += feature.getValue() ? '+' : '-';
      target.features += feature.getKey();
    }
  }
  std::unique_ptr<llvm::TargetMachine> machine = machine_for(target.triple, target.cpu, target.features);
  auto has = [&](const char* feature) { return machine->getMCSubtargetInfo()->checkFeatures(feature); };
  if (!llvm::Triple(target.triple).isX86()) {
    target.vector_registers = 32;
    target.fma = true;
    return target;
  }
  target.flushes_denormals = true;
  bool avx512 = has("+avx512f") && has("+avx512vl") && has("+avx512bw") && has("+avx512dq");
  target.vector_bytes = avx512 ? 64 : has("+avx") ? 32 : 16;
  target.vector_registers = avx512 ? 32 : 16;
  target.fma = has("+fma");
  return target;
}

std::unique_ptr<NativeCode> jit(const ir::LoopProgram& program, const Target& target,
                                const CompileOptions& options, CompileTimes* times) {
  CompileTimes own;
  auto object = compile_object(program, target, options, times ? *times : own);
  Stopwatch watch;
  auto code = std::make_unique<JitCode>(std::move(object));
  watch.lap((times ? *times : own).machine);
  return code;
}

std::vector<std::string> undefined_symbols(const ir::LoopProgram& program, const Target& target) {
  CompileTimes times;
  auto buffer = compile_object(program, target, {}, times);
  auto object = expect(llvm::object::ObjectFile::createObjectFile(buffer->getMemBufferRef()));
  std::vector<std::string> names;
  for (const llvm::object::SymbolRef& symbol : object->symbols())
    if (expect(symbol.getFlags()) & llvm::object::SymbolRef::SF_Undefined)
      if (std::string name = expect(symbol.getName()).str(); !name.empty()) names.push_back(name);
  return names;
}

}  // namespace rondo::codegen
