// Stands in for compiled code: an Executable whose call is a function of the test.
#pragma once

#include <functional>
#include <utility>

#include "runtime/executable.h"

namespace rondo::testing {

class FakeExecutable : public Executable {
 public:
  using Call = std::function<void(void* const* args, const int64_t* dims, void* scratch)>;
  FakeExecutable(Signature signature, Call call, size_t scratch_per_point = 0)
      : signature_(std::move(signature)), call_(std::move(call)), scratch_per_point_(scratch_per_point) {}

  const Signature& signature() const override { return signature_; }
  size_t scratch_bytes(const int64_t* dims) const override {
    size_t bytes = scratch_per_point_;
    for (size_t i = 0; i < signature_.dims.size(); ++i) bytes *= static_cast<size_t>(dims[i]);
    return bytes;
  }
  void call(void* const* args, const int64_t* dims, void* scratch) const override {
    call_(args, dims, scratch);
  }

 private:
  Signature signature_;
  Call call_;
  size_t scratch_per_point_;
};

}  // namespace rondo::testing
