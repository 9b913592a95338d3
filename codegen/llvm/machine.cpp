#include "codegen/llvm/machine.h"

#include <fmt/format.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/TargetParser/SubtargetFeature.h>
#include <llvm/TargetParser/Triple.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <mutex>

#include "codegen/llvm/order.h"

namespace rondo::codegen {

namespace {

/// The host's code generator is there at once; the others when one is asked for.
const llvm::Target* find_target(const std::string& triple, std::string& problem) {
  static std::once_flag native, all;
  std::call_once(native, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
  });
  if (const llvm::Target* found = llvm::TargetRegistry::lookupTarget(triple, problem)) return found;
  std::call_once(all, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    llvm::InitializeAllAsmParsers();
  });
  return llvm::TargetRegistry::lookupTarget(triple, problem);
}

/// LLVM itself ignores what it does not know, with a note on standard error.
void check_names(const llvm::Target& target, const std::string& triple, const std::string& cpu,
                 const std::string& features) {
  std::unique_ptr<llvm::MCSubtargetInfo> known(target.createMCSubtargetInfo(triple, "", ""));
  if (!known || !known->isCPUStringValid(cpu))
    throw Error(fmt::format("rondo: {} has no CPU {}", triple, cpu));
  const llvm::SubtargetFeatures list(features);
  for (const std::string& feature : list.getFeatures()) {
    auto is_it = [&](const llvm::SubtargetFeatureKV& f) { return feature.substr(1) == f.Key; };
    if (!llvm::SubtargetFeatures::hasFlag(feature) || llvm::none_of(known->getAllProcessorFeatures(), is_it))
      throw Error(
          fmt::format("rondo: {} has no feature {}; they are written +name or -name", triple, feature));
  }
}

/// LLVM's passes from its IR to machine code, but for those that cost much and gain nothing here.
class MachinePasses : public llvm::legacy::PassManager {
 public:
  explicit MachinePasses(const llvm::Triple& target) : x86_(target.isX86()) {}

  void add(llvm::Pass* pass) override {
    // It takes up to 60 % of all time. What does not change in a loop is computed before it anyway, and
    // addresses of x86 add a scaled index by themselves: measured, no loop is faster for it.
    if (x86_ && pass->getPassName() == "Loop Strength Reduction") return delete pass;
    llvm::legacy::PassManager::add(pass);
  }

 private:
  bool x86_;
};

/// On x86 callers leave a stack that is aligned to 16 bytes. There a vector of 32 or 64 that finds no room in
/// registers lies across two lines of the cache, and on one of six stacks some lie across two pages, so that
/// an LSTM's step of 16 units takes half as long again. So functions that others call align the stack to a
/// line, and those that only they call count on it.
void align_stack(llvm::Module& module) {
  constexpr unsigned kLine = 64;
  if (!llvm::Triple(module.getTargetTriple()).isX86()) return;
  module.setOverrideStackAlignment(kLine);
  for (llvm::Function& f : module)
    if (!f.hasLocalLinkage()) f.addFnAttr("stackrealign");
}

}  // namespace

std::unique_ptr<llvm::TargetMachine> machine_for(const std::string& triple, const std::string& cpu,
                                                 const std::string& features) {
  std::string problem;
  const llvm::Target* found = find_target(triple, problem);
  if (!found) throw Error(fmt::format("rondo: no code generator for {}: {}", triple, problem));
  check_names(*found, triple, cpu, features);
  // Code for a system may be loaded anywhere; firmware and WebAssembly are linked for one place.
  const llvm::Triple parsed(triple);
  const bool fixed = parsed.isWasm() || parsed.getOS() == llvm::Triple::UnknownOS;
  std::unique_ptr<llvm::TargetMachine> machine(found->createTargetMachine(
      triple, cpu, features, llvm::TargetOptions(), fixed ? llvm::Reloc::Static : llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
  if (!machine) throw Error(fmt::format("rondo: no code generator for {}", triple));
  return machine;
}

void verify(const llvm::Module& module) {
  std::string problem;
  llvm::raw_string_ostream problems(problem);
  RONDO_CHECK(!llvm::verifyModule(module, &problems), problem);
}

void optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  align_stack(module);  // first, as the machine remembers what it has taken a stack for
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
  order_by_chains(module);
}

std::unique_ptr<llvm::MemoryBuffer> machine_code(llvm::Module& module, llvm::TargetMachine& machine,
                                                 llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out(bytes);
  MachinePasses passes(machine.getTargetTriple());
  const bool unsupported = machine.addPassesToEmitFile(passes, out, nullptr, type, /*DisableVerify=*/true);
  RONDO_CHECK(!unsupported, "the target emits no objects");
  const KeepOrder kept(module);
  passes.run(module);
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(std::move(bytes), "rondo", false);
}

std::string to_string(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream(text) << module;
  return text;
}

std::string assembly(const llvm::Module& module, llvm::TargetMachine& machine) {
  return machine_code(*llvm::CloneModule(module), machine, llvm::CodeGenFileType::AssemblyFile)
      ->getBuffer()
      .str();
}

std::vector<std::string> undefined_symbols(llvm::MemoryBufferRef bytes) {
  auto object = expect(llvm::object::ObjectFile::createObjectFile(bytes));
  std::vector<std::string> names;
  for (const llvm::object::SymbolRef& symbol : object->symbols())
    if (expect(symbol.getFlags()) & llvm::object::SymbolRef::SF_Undefined)
      if (std::string name = expect(symbol.getName()).str(); !name.empty()) names.push_back(name);
  return names;
}

}  // namespace rondo::codegen
