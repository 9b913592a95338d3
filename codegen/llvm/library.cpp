#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llvm/IR/DiagnosticHandler.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/Object/ArchiveWriter.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/TargetParser/Triple.h>

#include <algorithm>
#include <map>

#include "codegen/library.h"
#include "codegen/llvm/emit.h"
#include "codegen/llvm/library_emitter.h"
#include "codegen/llvm/machine.h"
#include "codegen/llvm/wasm.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Hears from the code generator how large each function's frame is.
class FrameSizes : public llvm::DiagnosticHandler {
 public:
  explicit FrameSizes(std::map<std::string, int64_t>& bytes) : bytes_(bytes) {}

  bool isAnalysisRemarkEnabled(llvm::StringRef pass) const override { return pass == kPass; }
  bool isMissedOptRemarkEnabled(llvm::StringRef) const override { return false; }
  bool isPassedOptRemarkEnabled(llvm::StringRef) const override { return false; }
  bool isAnyRemarkEnabled() const override { return true; }

  bool handleDiagnostics(const llvm::DiagnosticInfo& info) override {
    if (info.getKind() != llvm::DK_MachineOptimizationRemarkAnalysis) return false;
    const auto& remark = static_cast<const llvm::DiagnosticInfoOptimizationBase&>(info);
    if (remark.getPassName() == kPass)
      for (const auto& arg : remark.getArgs())
        if (arg.Key == "NumStackBytes") bytes_[remark.getFunction().getName().str()] = std::stoll(arg.Val);
    return true;
  }

 private:
  static constexpr const char* kPass = "prologepilog";
  std::map<std::string, int64_t>& bytes_;
};

/// A call puts its return address there, and a frame of aligned vectors may start up to a line further.
constexpr int64_t kCallBytes = 16, kAlignmentBytes = 64;

/// The most stack that a function and its callees take at a time.
int64_t stack_depth(const llvm::Function& function, const std::map<std::string, int64_t>& frames) {
  int64_t deepest = 0;
  for (const llvm::Instruction& instruction : llvm::instructions(function)) {
    const auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
    const llvm::Function* callee = call ? call->getCalledFunction() : nullptr;
    if (callee && !callee->isIntrinsic()) deepest = std::max(deepest, stack_depth(*callee, frames));
  }
  const auto frame = frames.find(function.getName().str());
  RONDO_CHECK(frame != frames.end(), "no frame of " + function.getName().str());
  const int64_t own = frame->second == 0 ? 0 : frame->second + kAlignmentBytes;
  return own + kCallBytes + deepest;
}

void need_nothing(llvm::MemoryBufferRef object, const Target& target) {
  std::vector<std::string> names = undefined_symbols(object);
  if (llvm::Triple(target.triple).isWasm()) std::erase_if(names, of_linker);
  if (!names.empty())
    throw Error(fmt::format("rondo: target {}: its CPU has no instructions for what {} would have to do",
                            target.name.empty() ? target.triple : target.name, fmt::join(names, ", ")));
}

void measure(llvm::MemoryBufferRef bytes, LibraryObject& object) {
  auto file = expect(llvm::object::ObjectFile::createObjectFile(bytes));
  for (const llvm::object::SectionRef& section : file->sections()) {
    if (section.isText()) object.code_bytes += static_cast<int64_t>(section.getSize());
    if (section.isData()) object.data_bytes += static_cast<int64_t>(section.getSize());
  }
}

/// One target, or levels of x86-64 that rise.
void check_targets(const std::vector<Target>& targets) {
  RONDO_CHECK(!targets.empty(), "no target");
  for (size_t i = 1; i < targets.size(); ++i) {
    const int before = x86_level(targets[i - 1]), level = x86_level(targets[i]);
    if (before == 0 || level <= before)
      throw Error(
          fmt::format("rondo: targets {} and {}: one library holds several levels of x86-64, or one "
                      "target",
                      targets[i - 1].name, targets[i].name));
  }
}

}  // namespace

LibraryObject compile_library(const Library& library, const std::vector<Target>& targets, bool with_texts) {
  check_targets(targets);
  const Target& target = targets.front();
  std::unique_ptr<llvm::TargetMachine> machine = machine_for(target.triple, target.cpu, target.features);
  machine->Options.FunctionSections = machine->Options.DataSections = true;  // linkers drop what is not used
  llvm::LLVMContext context;
  std::map<std::string, int64_t> frames;
  context.setDiagnosticHandler(std::make_unique<FrameSizes>(frames));
  llvm::Module module(library.prefix, context);
  module.setTargetTriple(target.triple);
  module.setDataLayout(machine->createDataLayout());
  LibraryObject object;
  const LibraryFacts facts = emit_library(module, library, targets);
  object.entries = facts.entries, object.prepared_bytes = facts.prepared_bytes;
  verify(module);
  optimize(module, *machine);
  if (with_texts) object.llvm = to_string(module), object.assembly = assembly(module, *machine);
  auto bytes = machine_code(module, *machine, llvm::CodeGenFileType::ObjectFile);
  need_nothing(bytes->getMemBufferRef(), target);
  measure(bytes->getMemBufferRef(), object);
  auto stack_of = [&](const std::string& name) {
    return stack_depth(*module.getFunction(library.symbol(name)), frames);
  };
  int64_t stack = 0;
  for (size_t i = 0; i < library.entries.size(); ++i)
    stack = std::max(stack, object.entries[i].stack_bytes = stack_of(library.entries[i].name));
  for (const Service& service : library.services)
    object.service_stack_bytes = std::max(object.service_stack_bytes, stack_of(service.name));
  if (llvm::Triple(target.triple).getArch() == llvm::Triple::wasm32)
    object.module = wasm_module(bytes->getMemBufferRef(), std::max(stack, object.service_stack_bytes));
  const auto* first = reinterpret_cast<const std::byte*>(bytes->getBufferStart());
  object.bytes.assign(first, first + bytes->getBufferSize());
  return object;
}

Listing list_code(const Entry& entry, const Target& target) {
  const LoopProgram program = lower(entry, target);
  std::unique_ptr<llvm::TargetMachine> machine = machine_for(target.triple, target.cpu, target.features);
  llvm::LLVMContext context;
  llvm::Module module(entry.name, context);
  module.setTargetTriple(target.triple);
  module.setDataLayout(machine->createDataLayout());
  emit_program(module, program, target, entry.name);
  optimize(module, *machine);
  return {to_string(program), assembly(module, *machine)};
}

std::vector<std::byte> make_archive(const std::string& member, std::span<const std::byte> object) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  std::vector<llvm::NewArchiveMember> members;
  members.emplace_back(llvm::MemoryBufferRef(bytes, member));
  auto archive = expect(llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NormalSymtab,
                                                   llvm::object::Archive::K_GNU, true, false));
  const auto* first = reinterpret_cast<const std::byte*>(archive->getBufferStart());
  return {first, first + archive->getBufferSize()};
}

}  // namespace rondo::codegen
