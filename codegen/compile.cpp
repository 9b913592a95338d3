#include "codegen/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "codegen/llvm_jit.h"
#include "support/error.h"
#include "support/stage_dump.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// A polynomial whose names are indices into the dims of a call: evaluating it allocates nothing.
class Size {
 public:
  Size(const Poly& p, const std::vector<std::string>& dims) {
    for (const auto& [names, coefficient] : p.terms()) {
      Term term{coefficient, {}};
      for (const std::string& name : names)
        term.dims.push_back(static_cast<size_t>(std::find(dims.begin(), dims.end(), name) - dims.begin()));
      terms_.push_back(term);
    }
  }

  int64_t operator()(const int64_t* dims) const {
    int64_t sum = 0;
    for (const Term& t : terms_) {
      int64_t product = t.coefficient;
      for (size_t d : t.dims) product *= dims[d];
      sum += product;
    }
    return sum;
  }

 private:
  struct Term {
    int64_t coefficient;
    std::vector<size_t> dims;
  };
  std::vector<Term> terms_;
};

Signature signature_of(const Func& func, const LoopProgram& program, const CompileOptions& options) {
  Signature s;
  s.name = func.name;
  s.dims = program.dims;
  s.aliases = options.aliases;
  auto arg_dim = [&](const Dim& d) {
    if (!d.is_named()) return ArgDim{d.size(), -1};
    auto at = std::find(s.dims.begin(), s.dims.end(), d.name());
    RONDO_CHECK(at != s.dims.end(), "no dim " + d.name());
    return ArgDim{0, static_cast<int32_t>(at - s.dims.begin())};
  };
  auto arg = [&](Value v, const char* unnamed, size_t i) {
    const std::string& name = func.value_name(v);
    Arg a{name.empty() ? fmt::format("{}{}", unnamed, i) : name, func.type(v).dtype, {}};
    for (const Dim& d : func.type(v).shape) a.shape.push_back(arg_dim(d));
    return a;
  };
  for (size_t i = 0; i < func.params.size(); ++i) s.inputs.push_back(arg(func.params[i], "in", i));
  RONDO_CHECK(options.outputs.empty() || options.outputs.size() == func.results.size(),
              "each result has one name");
  for (size_t i = 0; i < func.results.size(); ++i) {
    s.outputs.push_back(arg(func.results[i], "out", i));
    if (!options.outputs.empty()) s.outputs.back().name = options.outputs[i];
  }
  for (const IndexBound& b : program.bounds) {
    const int64_t more = b.bound.constant();
    if (b.bound.is_constant()) {
      s.bounds.push_back({b.input, {more, -1}, 0, b.low});
      continue;
    }
    const Poly::Term names = b.bound.terms().rbegin()->first;
    RONDO_CHECK(names.size() == 1 && b.bound == Poly(Dim(names.front())) + Poly(more),
                "bound " + to_string(b.bound));
    s.bounds.push_back({b.input, arg_dim(Dim(names.front())), more, b.low});
  }
  return s;
}

class Compiled : public Executable {
 public:
  Compiled(Signature signature, const LoopProgram& program, std::unique_ptr<NativeCode> code)
      : signature_(std::move(signature)), code_(std::move(code)), entry_(code_->entry()) {
    for (const Poly& bytes : program.slots) slots_.emplace_back(bytes, program.dims);
  }

  const Signature& signature() const override { return signature_; }

  size_t scratch_bytes(const int64_t* dims) const override {
    int64_t sum = 0;
    for (const Size& bytes : slots_) sum += (bytes(dims) + 63) / 64 * 64;
    return static_cast<size_t>(sum);
  }

  void call(void* const* args, const int64_t* dims, void* scratch) const override {
    entry_(args, dims, scratch);
  }

 private:
  Signature signature_;
  std::unique_ptr<NativeCode> code_;
  NativeCode::Entry entry_;
  std::vector<Size> slots_;
};

}  // namespace

std::shared_ptr<const Executable> compile(const Func& func, const CompileOptions& options,
                                          CompileTimes* times) {
  CompileTimes own;
  CompileTimes& spent = times ? *times : own;
  auto start = std::chrono::steady_clock::now();
  LoopProgram program = lower(func, options);
  spent.lower += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const StageDump dump(options.dump_dir, program.name);
  if (dump.on()) dump.write("20-loops.txt", to_string(program));
  std::unique_ptr<NativeCode> code =
      jit(program, target_for(options.cpu, options.features, options.triple), options, &spent);
  return std::make_shared<Compiled>(signature_of(func, program, options), program, std::move(code));
}

}  // namespace rondo::codegen
