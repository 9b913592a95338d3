#include "tests/support/execute.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "support/error.h"

namespace rondo::test {
namespace {

using ir::Array;

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using Memory = std::unique_ptr<void, Free>;

Memory aligned(size_t bytes) { return Memory(std::aligned_alloc(64, (bytes / 64 + 1) * 64)); }

template <class T>
void copy_in(const Array& from, void* to) {
  std::transform(from.data.begin(), from.data.end(), static_cast<T*>(to),
                 [](double x) { return static_cast<T>(x); });
}

template <class T>
void copy_out(const void* from, Array& to) {
  std::copy_n(static_cast<const T*>(from), to.data.size(), to.data.begin());
}

void write(const Array& from, void* to) {
  switch (from.dtype) {
    case DType::f32: return copy_in<float>(from, to);
    case DType::f64: return copy_in<double>(from, to);
    case DType::i32: return copy_in<int32_t>(from, to);
    case DType::pred: return copy_in<uint8_t>(from, to);
  }
}

void read(const void* from, Array& to) {
  switch (to.dtype) {
    case DType::f32: return copy_out<float>(from, to);
    case DType::f64: return copy_out<double>(from, to);
    case DType::i32: return copy_out<int32_t>(from, to);
    case DType::pred: return copy_out<uint8_t>(from, to);
  }
}

}  // namespace

std::vector<Array> execute(const Executable& code, std::span<const Array> inputs,
                           std::span<const std::vector<int64_t>> output_shapes, const ir::DimValues& dims) {
  const Signature& s = code.signature();
  RONDO_CHECK(inputs.size() == s.inputs.size() && output_shapes.size() == s.outputs.size(),
              "as many arguments as the signature");
  std::vector<Memory> memory;
  std::vector<void*> args;
  for (const Array& input : inputs) {
    memory.push_back(aligned(input.data.size() * size_of(input.dtype)));
    write(input, memory.back().get());
    args.push_back(memory.back().get());
  }
  std::vector<Array> outputs;
  for (size_t i = 0; i < output_shapes.size(); ++i) {
    Array a;
    a.dtype = s.outputs[i].dtype;
    a.shape = output_shapes[i];
    size_t count = 1;
    for (int64_t size : a.shape) count *= static_cast<size_t>(size);
    a.data.resize(count);
    outputs.push_back(std::move(a));
    auto alias =
        std::find_if(s.aliases.begin(), s.aliases.end(), [&](const auto& x) { return x.output == i; });
    if (alias != s.aliases.end()) {
      args.push_back(args[alias->input]);
      continue;
    }
    memory.push_back(aligned(count * size_of(s.outputs[i].dtype)));
    args.push_back(memory.back().get());
  }
  std::vector<int64_t> sizes;
  for (const std::string& name : s.dims) sizes.push_back(dims.at(name));
  Memory scratch = aligned(code.scratch_bytes(sizes.data()));
  code.call(args.data(), sizes.data(), scratch.get());
  for (size_t i = 0; i < outputs.size(); ++i) read(args[inputs.size() + i], outputs[i]);
  return outputs;
}

}  // namespace rondo::test
