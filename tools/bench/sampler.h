// Where the processor's time goes: compiled code as a shared object, whose symbols tell what kernel a sampled
// program counter belongs to. Under `valgrind --tool=callgrind` the same symbols count instructions.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "runtime/executable.h"
#include "runtime/program.h"

namespace rondo::bench {

/// A compiled function whose code lies in a shared object, made of its assembly by the system's compiler.
class SharedObject : public Executable {
 public:
  /// Throws Error where there is no compiler (cc), or no nm.
  SharedObject(std::shared_ptr<const Executable> compiled, const std::string& assembly);
  ~SharedObject() override;

  const Signature& signature() const override { return compiled_->signature(); }
  size_t scratch_bytes(const int64_t* dims) const override { return compiled_->scratch_bytes(dims); }
  std::vector<size_t> copies() const override { return compiled_->copies(); }
  void freeze(void* const* args) const override { compiled_->freeze(args); }
  void call(void* const* args, const int64_t* dims, void* scratch) const override {
    entry_(args, dims, scratch);
  }
  /// The function whose code it is; empty for code elsewhere.
  std::string function_at(uintptr_t pc) const;

 private:
  using Entry = void (*)(void* const*, const int64_t*, void*);
  std::shared_ptr<const Executable> compiled_;
  void* handle_;
  Entry entry_;
  std::map<uintptr_t, std::string> functions_;
};

struct Samples {
  double seconds = 0;                    // of a call, of processor time
  std::map<std::string, double> shares;  // of the functions' time; "" is what is outside of them
};

/// Runs a program of the object for so long, again and again, and looks each millisecond of processor time
/// where it is. One at a time in a process.
Samples sample(Program&, const SharedObject&, double seconds);

}  // namespace rondo::bench
