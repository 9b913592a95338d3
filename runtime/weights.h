// Named tensors in aligned memory: parameters, optimizer state, batches. Saved and loaded as safetensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "support/dtype.h"
#include "support/error.h"

namespace rondo {

/// A dense row-major tensor in memory that starts on a 64-byte boundary and is padded to a multiple of 64
/// bytes; zero at first. Copying copies the handle: the copy shows the same memory.
class Buffer {
 public:
  Buffer() = default;
  /// Throws Error for a negative extent, and if there is no such amount of memory.
  Buffer(DType dtype, std::span<const int64_t> shape);
  Buffer(DType dtype, std::initializer_list<int64_t> shape)
      : Buffer(dtype, std::span(shape.begin(), shape.size())) {}

  DType dtype() const { return dtype_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t count() const { return count_; }
  size_t bytes() const { return static_cast<size_t>(count_) * size_of(dtype_); }
  /// Bytes of memory behind it, the padding included.
  size_t capacity() const { return capacity_; }
  void* data() { return data_.get(); }
  const void* data() const { return data_.get(); }
  /// The elements as float, double or int32_t. Throws Error if the dtype is another.
  template <class T>
  std::span<T> as();
  template <class T>
  std::span<const T> as() const;

  /// All elements become zero.
  void clear();
  /// Gives it another shape, filled with zeros; nothing happens if it has that shape already. Allocates only
  /// if the memory does not suffice.
  void resize(std::span<const int64_t> shape);

 private:
  DType dtype_ = DType::f32;
  std::vector<int64_t> shape_;
  int64_t count_ = 0;
  size_t capacity_ = 0;
  std::shared_ptr<void> data_;
};

std::string to_string(DType, std::span<const int64_t> shape);  // "f32[2,64]"

/// A set of named buffers, shared: programs that bind the same Weights see each other's updates. Copying
/// copies the handle.
class Weights {
 public:
  /// The buffer of that name, made (zeros) if there is none. Throws Error if it is there with another dtype
  /// or shape.
  Buffer& get(const std::string& name, DType, std::span<const int64_t> shape);
  Buffer& get(const std::string& name, DType dtype, std::initializer_list<int64_t> shape) {
    return get(name, dtype, std::span(shape.begin(), shape.size()));
  }
  /// Adds a handle to a buffer. Throws Error if there is one of that name.
  void add(const std::string& name, Buffer buffer);
  /// Throws Error, listing the names there are, if there is none.
  Buffer& at(const std::string& name);
  const Buffer& at(const std::string& name) const;
  bool contains(const std::string& name) const { return buffers_->contains(name); }
  const std::map<std::string, Buffer>& all() const { return *buffers_; }
  /// Number of elements of all floating-point buffers.
  int64_t count() const;
  /// Whether no floating-point element is NaN or infinite.
  bool all_finite() const;

  /// Writes safetensors: to a new file beside it, synced, then renamed; on any error the old file stays and
  /// Error says why.
  void save(const std::string& path, const std::map<std::string, std::string>& metadata = {}) const;
  /// Reads safetensors. Every malformed or truncated file throws Error with the reason and place.
  static Weights load(const std::string& path, std::map<std::string, std::string>* metadata = nullptr);
  /// Copies the values of `from` into the buffers here, by name. Throws Error, having changed nothing, for
  /// the first name that is missing on either side or has another dtype or shape.
  void assign(const Weights& from);

 private:
  std::shared_ptr<std::map<std::string, Buffer>> buffers_ = std::make_shared<std::map<std::string, Buffer>>();
};

}  // namespace rondo
