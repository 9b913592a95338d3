// Named tensors in aligned memory: parameters, optimizer state, batches. Saved and loaded as safetensors.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "support/dtype.h"
#include "support/error.h"

namespace rondo {

/// A dense row-major tensor in 64-byte aligned memory of its own, zero at first.
class Buffer {
 public:
  Buffer() = default;
  Buffer(DType dtype, std::vector<int64_t> shape);

  DType dtype() const { return dtype_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t count() const { return count_; }
  size_t bytes() const { return static_cast<size_t>(count_) * size_of(dtype_); }
  void* data() { return data_.get(); }
  const void* data() const { return data_.get(); }
  /// The elements as float, double or int32_t. Throws Error if the dtype is another.
  template <class T>
  std::span<T> as();
  template <class T>
  std::span<const T> as() const;

 private:
  DType dtype_ = DType::f32;
  std::vector<int64_t> shape_;
  int64_t count_ = 0;
  std::shared_ptr<void> data_;
};

std::string to_string(DType, std::span<const int64_t> shape);  // "f32[2,64]"

/// A set of named buffers, shared: programs that bind the same Weights see each other's updates. Copying copies the handle.
class Weights {
 public:
  /// The buffer of that name, made (zeros) if there is none. Throws Error if it is there with another dtype or shape.
  Buffer& get(const std::string& name, DType, const std::vector<int64_t>& shape);
  /// Throws Error, listing the names there are, if there is none.
  Buffer& at(const std::string& name);
  const Buffer& at(const std::string& name) const;
  bool contains(const std::string& name) const;
  const std::map<std::string, Buffer>& all() const { return *buffers_; }
  /// Number of elements of all floating-point buffers.
  int64_t count() const;

  /// Writes safetensors: to a new file beside it, synced, then renamed; on any error the old file stays and Error says why.
  void save(const std::string& path, const std::map<std::string, std::string>& metadata = {}) const;
  /// Reads safetensors. Every malformed or truncated file throws Error with the reason and place.
  static Weights load(const std::string& path, std::map<std::string, std::string>* metadata = nullptr);
  /// Copies the values of `from` into the buffers here, by name. Throws Error for a name that is missing on either side, or another dtype or shape.
  void assign(const Weights& from);

 private:
  std::shared_ptr<std::map<std::string, Buffer>> buffers_ = std::make_shared<std::map<std::string, Buffer>>();
};

}  // namespace rondo
