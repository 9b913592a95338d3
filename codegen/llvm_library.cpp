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
#include "codegen/llvm_dispatch.h"
#include "codegen/llvm_emit.h"
#include "codegen/llvm_entry.h"
#include "codegen/llvm_machine.h"
#include "codegen/llvm_wasm.h"
#include "codegen/prepare.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// The arena of a program, each slot rounded up to 64 bytes: exactly where it is a number, else at most 63
/// more.
Poly scratch_bound(const LoopProgram& program) {
  Poly bytes;
  for (const Poly& slot : program.slots)
    bytes += slot.is_constant() ? Poly((slot.constant() + 63) / 64 * 64) : slot + Poly(63);
  return bytes;
}

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

LoopProgram lower(const Entry& entry, const Target& target) {
  CompileOptions options;
  options.aliases = entry.aliases;
  options.cpu = target.cpu, options.features = target.features, options.triple = target.triple;
  for (uint32_t i = 0; i < entry.func.params.size(); ++i)
    if (entry.args[i].param == EntryPlace::kConstants) options.constants.push_back(i);
  return lower(entry.func, options);
}

class LibraryEmitter {
 public:
  LibraryEmitter(llvm::Module& module, const Library& library, const std::vector<Target>& targets)
      : module_(module), library_(library), targets_(targets) {}

  std::vector<EntryFacts> run() {
    // Names first, so that they stay free of what the functions bring along.
    for (const Entry& e : library_.entries)
      declare_entry(module_, lowest(), symbol(e.name), entry_type(module_.getContext(), e.params));
    for (const Service& s : library_.services)
      declare_entry(module_, lowest(), symbol(s.name), entry_type(module_.getContext(), s.params));
    emit_facts();
    if (targets_.size() > 1) level_ = emit_cpu_level(module_, lowest(), symbol("cpu_level"));
    for (const std::vector<std::byte>& bytes : library_.constants)
      constants_.push_back(constant_bytes(bytes, symbol("constants"), 64));
    std::vector<EntryFacts> facts;
    for (const Entry& e : library_.entries) facts.push_back(emit(e));
    for (const Service& s : library_.services) emit(s);
    for (llvm::GlobalVariable* constant : constants_)
      if (constant->use_empty()) constant->eraseFromParent();
    return facts;
  }

  std::string symbol(const std::string& name) const { return library_.prefix + "_" + name; }

 private:
  const Target& lowest() const { return targets_.front(); }

  llvm::GlobalVariable* constant_bytes(std::span<const std::byte> bytes, const std::string& name,
                                       uint64_t align) {
    auto* data = llvm::ConstantDataArray::getRaw(
        llvm::StringRef(reinterpret_cast<const char*>(bytes.data()), bytes.size()), bytes.size(),
        llvm::Type::getInt8Ty(module_.getContext()));
    auto* global = new llvm::GlobalVariable(module_, data->getType(), true,
                                            llvm::GlobalValue::InternalLinkage, data, name);
    global->setAlignment(llvm::Align(align));
    return global;
  }

  /// <prefix>_version() and <prefix>_model_hash().
  void emit_facts() {
    llvm::IRBuilder<> b(module_.getContext());
    auto emit_constant = [&](const char* name, llvm::Constant* value) {
      llvm::Function* f =
          declare_entry(module_, lowest(), symbol(name), llvm::FunctionType::get(value->getType(), false));
      b.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", f));
      b.CreateRet(value);
    };
    const std::string& text = library_.version;
    emit_constant("version", constant_bytes(std::as_bytes(std::span(text.c_str(), text.size() + 1)),
                                            symbol("version_text"), 1));
    emit_constant("model_hash", b.getInt64(library_.hash));
  }

  EntryFacts emit(const Entry& entry) {
    std::vector<LoopProgram> programs;
    std::vector<llvm::Function*> codes;
    EntryFacts facts;
    for (const Target& target : targets_) {
      programs.push_back(lower(entry, target));
      const std::string name = symbol(entry.name) + "_" + target.cpu;
      emit_program(module_, programs.back(), target, name);
      codes.push_back(module_.getFunction(name));
      codes.back()->setLinkage(llvm::GlobalValue::InternalLinkage);
      facts.scratch_bytes = upper_bound(facts.scratch_bytes, scratch_bound(programs.back()));
    }
    std::vector<EntryParam> params = entry.params;
    params[entry.scratch].bytes = facts.scratch_bytes;
    EntryBuilder f(module_, lowest(), symbol(entry.name), params, constants_);
    f.check_params();
    check_indices(f, entry, programs.front());
    call(f, entry, programs, codes);
    f.finish();
    return facts;
  }

  /// Of the inputs that are the caller's. The library's own state holds what the library put there.
  void check_indices(EntryBuilder& f, const Entry& entry, const LoopProgram& program) {
    for (const IndexBound& bound : program.bounds) {
      const EntryPlace& place = entry.args[bound.input];
      const Poly count = element_count(entry.func.type(entry.func.params[bound.input]).shape);
      if (place.param == EntryPlace::kConstants) continue;
      const EntryParam& param = entry.params[place.param];
      if (param.kind == EntryParam::Kind::scalar || param.bytes == count * Poly(4))
        f.check_indices(place, count, bound);
    }
  }

  void call(EntryBuilder& f, const Entry& entry, const std::vector<LoopProgram>& programs,
            const std::vector<llvm::Function*>& codes) {
    const LoopProgram& program = programs.front();
    llvm::IRBuilder<>& b = f.b;
    size_t count = 1;
    for (const LoopProgram& p : programs) count = std::max(count, entry.args.size() + p.prepared.size());
    llvm::Value* args = f.stack(b.getPtrTy(), count);
    auto put = [&](size_t i, llvm::Value* address) {
      b.CreateStore(address, b.CreateConstInBoundsGEP1_64(b.getPtrTy(), args, i));
    };
    for (size_t i = 0; i < entry.args.size(); ++i)
      if (is_read(entry, programs, i)) put(i, f.address(entry.args[i]));
    llvm::Value* dims = f.stack(b.getInt64Ty(), std::max<size_t>(program.dims.size(), 1));
    for (size_t i = 0; i < program.dims.size(); ++i)
      b.CreateStore(f.dim(program.dims[i]), b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), dims, i));
    llvm::Value* scratch = f.address({entry.scratch, {}});
    llvm::Function* own = b.GetInsertBlock()->getParent();
    llvm::Value* level = codes.size() > 1 ? b.CreateCall(level_) : nullptr;
    auto* done = llvm::BasicBlock::Create(b.getContext(), "done", own);
    for (size_t i = codes.size(); i-- > 0;) {
      llvm::BasicBlock* next = nullptr;
      if (i > 0) {
        auto* here = llvm::BasicBlock::Create(b.getContext(), "here", own);
        next = llvm::BasicBlock::Create(b.getContext(), "lower", own);
        b.CreateCondBr(b.CreateICmpSGE(level, b.getInt32(x86_level(targets_[i]))), here, next);
        b.SetInsertPoint(here);
      }
      for (size_t k = 0; k < programs[i].prepared.size(); ++k)
        put(entry.args.size() + k, prepared(entry, programs[i], programs[i].prepared[k], targets_[i]));
      b.CreateCall(codes[i], {args, dims, scratch});
      b.CreateBr(done);
      if (next) b.SetInsertPoint(next);
    }
    b.SetInsertPoint(done);
  }

  /// A constant that all levels take packed has no need to be there plain.
  static bool is_read(const Entry& entry, const std::vector<LoopProgram>& programs, size_t arg) {
    if (entry.args[arg].param != EntryPlace::kConstants || arg >= entry.func.params.size()) return true;
    return std::ranges::any_of(programs, [&](const LoopProgram& p) {
      const auto input = std::ranges::find_if(
          p.buffers, [&](const Buffer& b) { return b.kind == Buffer::Kind::input && b.arg == arg; });
      return reads(p, static_cast<BufferId>(input - p.buffers.begin()));
    });
  }

  /// The packed copy of constants that a program asks for; entries and levels that want the same share it.
  llvm::GlobalVariable* prepared(const Entry& entry, const LoopProgram& program, const Pack& pack,
                                 const Target& target) {
    std::string bytes = prepare(pack, target, [&](BufferId id) {
      return std::span(library_.constants.at(entry.args[program.buffers[id].arg].constant));
    });
    auto [at, fresh] = prepared_.try_emplace(std::move(bytes));
    if (fresh) at->second = constant_bytes(std::as_bytes(std::span(at->first)), symbol("packed"), 64);
    return at->second;
  }

  void emit(const Service& service) {
    EntryBuilder f(module_, lowest(), symbol(service.name), service.params, constants_);
    f.check_params();
    for (const Service::Step& step : service.steps) f.run(step);
    f.finish();
  }

  llvm::Module& module_;
  const Library& library_;
  const std::vector<Target>& targets_;
  std::vector<llvm::GlobalVariable*> constants_;
  std::map<std::string, llvm::GlobalVariable*> prepared_;
  llvm::Function* level_ = nullptr;
};

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
  LibraryEmitter emitter(module, library, targets);
  LibraryObject object;
  object.entries = emitter.run();
  verify(module);
  optimize(module, *machine);
  if (with_texts) object.llvm = to_string(module), object.assembly = assembly(module, *machine);
  auto bytes = machine_code(module, *machine, llvm::CodeGenFileType::ObjectFile);
  need_nothing(bytes->getMemBufferRef(), target);
  measure(bytes->getMemBufferRef(), object);
  auto stack_of = [&](const std::string& name) {
    return stack_depth(*module.getFunction(emitter.symbol(name)), frames);
  };
  int64_t stack = 0;
  for (size_t i = 0; i < library.entries.size(); ++i)
    stack = std::max(stack, object.entries[i].stack_bytes = stack_of(library.entries[i].name));
  for (const Service& service : library.services) stack = std::max(stack, stack_of(service.name));
  if (llvm::Triple(target.triple).getArch() == llvm::Triple::wasm32)
    object.module = wasm_module(bytes->getMemBufferRef(), stack);
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
