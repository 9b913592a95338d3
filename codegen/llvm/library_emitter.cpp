#include "codegen/llvm/library_emitter.h"

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "codegen/llvm/dispatch.h"
#include "codegen/llvm/emit.h"
#include "codegen/llvm/entry.h"
#include "codegen/loops/prepare.h"
#include "codegen/prepared_block.h"

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

class LibraryEmitter {
 public:
  LibraryEmitter(llvm::Module& module, const Library& library, const std::vector<Target>& targets)
      : module_(module), library_(library), targets_(targets) {}

  LibraryFacts run() {
    // Names first, so that they stay free of what the functions bring along.
    for (const Entry& e : library_.entries)
      declare_entry(module_, lowest(), library_.symbol(e.name), entry_type(module_.getContext(), e.params));
    for (const Service& s : library_.services)
      declare_entry(module_, lowest(), library_.symbol(s.name), entry_type(module_.getContext(), s.params));
    emit_facts();
    if (targets_.size() > 1) {
      level_ = emit_cpu_level(module_, lowest(), library_.symbol("cpu_level"));
      level_->setLinkage(llvm::GlobalValue::InternalLinkage);
    }
    for (const std::vector<std::byte>& bytes : library_.constants)
      constants_.push_back(constant_bytes(bytes, library_.symbol("constants"), 64));
    for (const Target& target : targets_) blocks_.emplace_back(library_.given, target);
    for (const Entry& e : library_.entries) lower(e);
    LibraryFacts facts;
    for (const Lowered& e : lowered_) facts.entries.push_back(emit(e));
    if (!library_.given.empty()) facts.prepared_bytes = 64;  // C has no empty arrays
    for (const PreparedBlock& block : blocks_)
      facts.prepared_bytes = std::max(facts.prepared_bytes, block.bytes());
    for (const Service& s : library_.services) emit(s);
    for (llvm::GlobalVariable* constant : constants_)
      if (constant->use_empty()) constant->eraseFromParent();
    return facts;
  }

 private:
  /// An entry with its code for each target.
  struct Lowered {
    const Entry& entry;
    std::vector<LoopProgram> programs = {};
    std::vector<PreparedBlock::Copies> copies = {};
  };

  void lower(const Entry& entry) {
    Lowered& e = lowered_.emplace_back(Lowered{entry});
    for (size_t i = 0; i < targets_.size(); ++i) {
      e.programs.push_back(codegen::lower(entry, targets_[i]));
      if (!library_.given.empty()) e.copies.push_back(blocks_[i].add(entry, e.programs.back()));
    }
  }

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
      llvm::Function* f = declare_entry(module_, lowest(), library_.symbol(name),
                                        llvm::FunctionType::get(value->getType(), false));
      b.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", f));
      b.CreateRet(value);
    };
    const std::string& text = library_.version;
    emit_constant("version", constant_bytes(std::as_bytes(std::span(text.c_str(), text.size() + 1)),
                                            library_.symbol("version_text"), 1));
    emit_constant("model_hash", b.getInt64(library_.hash));
  }

  EntryFacts emit(const Lowered& e) {
    std::vector<llvm::Function*> codes;
    EntryFacts facts;
    for (size_t i = 0; i < targets_.size(); ++i) {
      codes.push_back(emit_code(e.programs[i], i, e.entry.name));
      facts.scratch_bytes = upper_bound(facts.scratch_bytes, scratch_bound(e.programs[i]));
    }
    std::vector<EntryParam> params = e.entry.params;
    params[e.entry.scratch].bytes = facts.scratch_bytes;
    EntryBuilder f(module_, lowest(), library_.symbol(e.entry.name), params, constants_);
    f.check_params();
    check_indices(f, e.entry, e.programs.front());
    call(f, e, codes);
    f.finish();
    return facts;
  }

  llvm::Function* emit_code(const LoopProgram& program, size_t target, const std::string& name) {
    const std::string own = library_.symbol(name) + "_" + targets_[target].cpu;
    emit_program(module_, program, targets_[target], own);
    llvm::Function* code = module_.getFunction(own);
    code->setLinkage(llvm::GlobalValue::InternalLinkage);
    return code;
  }

  /// Of the inputs that are the caller's. The library's own state holds what the library put there.
  void check_indices(EntryBuilder& f, const Entry& entry, const LoopProgram& program) {
    for (const IndexBound& bound : program.bounds) {
      const EntryPlace& place = entry.args[bound.input];
      const Poly count = element_count(entry.func.type(entry.func.params[bound.input]).shape);
      if (place.is_constant()) continue;
      const EntryParam& param = entry.params[place.param];
      if (param.kind == EntryParam::Kind::scalar || param.bytes == count * Poly(4))
        f.check_indices(place, count, bound);
    }
  }

  /// The arguments of compiled code, in the frame of a function.
  struct Arguments {
    EntryBuilder& f;
    llvm::Value *addresses, *dims;

    Arguments(EntryBuilder& builder, size_t count, const std::vector<std::string>& names)
        : f(builder),
          addresses(f.stack(f.b.getPtrTy(), count)),
          dims(f.stack(f.b.getInt64Ty(), std::max<size_t>(names.size(), 1))) {}
    void put(size_t i, llvm::Value* address) {
      f.b.CreateStore(address, f.b.CreateConstInBoundsGEP1_64(f.b.getPtrTy(), addresses, i));
    }
    void put_dim(size_t i, llvm::Value* value) {
      f.b.CreateStore(value, f.b.CreateConstInBoundsGEP1_64(f.b.getInt64Ty(), dims, i));
    }
  };

  static size_t argument_count(const LoopProgram& p) { return p.inputs + p.outputs + p.prepared.size(); }

  void call(EntryBuilder& f, const Lowered& e, const std::vector<llvm::Function*>& codes) {
    const LoopProgram& program = e.programs.front();
    size_t count = 1;
    for (const LoopProgram& p : e.programs) count = std::max(count, argument_count(p));
    Arguments args(f, count, program.dims);
    for (size_t i = 0; i < e.entry.args.size(); ++i)
      if (is_read(e, i)) args.put(i, f.address(e.entry.args[i]));
    for (size_t i = 0; i < program.dims.size(); ++i) args.put_dim(i, f.dim(program.dims[i]));
    llvm::Value* scratch = f.address({e.entry.scratch, {}});
    for_level(f, [&](size_t level) {
      put_weights(args, e, level);
      f.b.CreateCall(codes[level], {args.addresses, args.dims, scratch});
    });
  }

  /// Emits what is to be done on the CPU's level of those that there are.
  void for_level(EntryBuilder& f, const std::function<void(size_t)>& emit_level) {
    llvm::IRBuilder<>& b = f.b;
    llvm::Function* own = b.GetInsertBlock()->getParent();
    llvm::Value* level = level_ ? b.CreateCall(level_) : nullptr;
    auto* done = llvm::BasicBlock::Create(b.getContext(), "done", own);
    for (size_t i = targets_.size(); i-- > 0;) {
      llvm::BasicBlock* next = nullptr;
      if (i > 0) {
        auto* here = llvm::BasicBlock::Create(b.getContext(), "here", own);
        next = llvm::BasicBlock::Create(b.getContext(), "lower", own);
        b.CreateCondBr(b.CreateICmpSGE(level, b.getInt32(x86_level(targets_[i]))), here, next);
        b.SetInsertPoint(here);
      }
      emit_level(i);
      b.CreateBr(done);
      if (next) b.SetInsertPoint(next);
    }
    b.SetInsertPoint(done);
  }

  /// Puts the addresses of what one level reads of weights that are the same at every call.
  void put_weights(Arguments& args, const Lowered& e, size_t level) {
    const LoopProgram& program = e.programs[level];
    const size_t first = e.entry.args.size();
    if (library_.given.empty()) {
      for (size_t k = 0; k < program.prepared.size(); ++k)
        args.put(first + k, packed_constant(e.entry, program, program.prepared[k], targets_[level]));
      return;
    }
    auto at = [&](int64_t offset) { return args.f.address({e.entry.prepared, Poly(offset)}); };
    const std::map<uint32_t, int64_t>& plain = blocks_[level].plain();
    for (size_t i = 0; i < program.inputs; ++i)
      if (e.entry.args[i].param == EntryPlace::kPrepared)
        if (const auto weight = plain.find(e.entry.args[i].constant); weight != plain.end())
          args.put(i, at(weight->second));
    for (size_t k = 0; k < program.prepared.size(); ++k) args.put(first + k, at(e.copies[level].offsets[k]));
  }

  /// A constant that all levels take packed has no need to be there plain.
  static bool is_read(const Lowered& e, size_t arg) {
    if (!e.entry.args[arg].is_constant()) return true;
    if (e.entry.args[arg].param == EntryPlace::kPrepared) return false;  // where it is depends on the level
    return std::ranges::any_of(e.programs, [&](const LoopProgram& p) {
      const auto input = std::ranges::find_if(
          p.buffers, [&](const Buffer& b) { return b.kind == Buffer::Kind::input && b.arg == arg; });
      return reads(p, static_cast<BufferId>(input - p.buffers.begin()));
    });
  }

  /// The packed copy of constants that a program asks for; entries and levels that want the same share it.
  llvm::GlobalVariable* packed_constant(const Entry& entry, const LoopProgram& program, const Pack& pack,
                                        const Target& target) {
    std::string bytes = prepare(pack, target, [&](BufferId id) {
      return std::span(library_.constants.at(entry.args[program.buffers[id].arg].constant));
    });
    auto [at, fresh] = prepared_.try_emplace(std::move(bytes));
    if (fresh)
      at->second = constant_bytes(std::as_bytes(std::span(at->first)), library_.symbol("packed"), 64);
    return at->second;
  }

  void emit(const Service& service) {
    EntryBuilder f(module_, lowest(), library_.symbol(service.name), service.params, constants_);
    f.check_params();
    for (const Service::Step& step : service.steps)
      if (step.kind == Service::Step::Kind::prepare)
        for_level(f, [&](size_t level) { prepare_weights(f, step, level); });
      else
        f.run(step);
    f.finish();
  }

  void prepare_weights(EntryBuilder& f, const Service::Step& step, size_t level) {
    auto given = [&](uint32_t weight) {
      return EntryPlace{step.from.param, step.from.offset + Poly(library_.given[weight].offset)};
    };
    auto prepared = [&](int64_t offset) { return EntryPlace{step.to.param, step.to.offset + Poly(offset)}; };
    for (const auto& [weight, offset] : blocks_[level].plain())
      f.run(Service::Step::copy(prepared(offset), given(weight),
                                (library_.given[weight].bytes + 63) / 64 * 64));
    for (const Lowered& e : lowered_) {
      const PreparedBlock::Copies& copies = e.copies[level];
      if (copies.own.empty()) continue;
      const LoopProgram& program = e.programs[level];
      Arguments args(f, argument_count(program), program.dims);
      for (size_t i = 0; i < program.inputs; ++i)
        if (e.entry.args[i].param == EntryPlace::kPrepared)
          args.put(i, f.address(given(e.entry.args[i].constant)));
      for (size_t k = 0; k < copies.offsets.size(); ++k)
        args.put(program.inputs + program.outputs + k, f.address(prepared(copies.offsets[k])));
      for (size_t i = 0; i < program.dims.size(); ++i) args.put_dim(i, f.b.getInt64(0));
      llvm::Function* code = emit_code(packing(program, copies.own), level, "prepare_" + e.entry.name);
      f.b.CreateCall(code, {args.addresses, args.dims, llvm::ConstantPointerNull::get(f.b.getPtrTy())});
    }
  }

  llvm::Module& module_;
  const Library& library_;
  const std::vector<Target>& targets_;
  std::vector<llvm::GlobalVariable*> constants_;
  std::map<std::string, llvm::GlobalVariable*> prepared_;
  std::vector<PreparedBlock> blocks_;  // by target
  std::vector<Lowered> lowered_;
  llvm::Function* level_ = nullptr;
};

}  // namespace

LoopProgram lower(const Entry& entry, const Target& target) {
  CompileOptions options;
  options.aliases = entry.aliases;
  options.cpu = target.cpu, options.features = target.features, options.triple = target.triple;
  for (uint32_t i = 0; i < entry.func.params.size(); ++i)
    if (entry.args[i].is_constant()) options.constants.push_back(i);
  return lower(entry.func, options);
}

LibraryFacts emit_library(llvm::Module& module, const Library& library, const std::vector<Target>& targets) {
  return LibraryEmitter(module, library, targets).run();
}

}  // namespace rondo::codegen
