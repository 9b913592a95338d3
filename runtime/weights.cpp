#include "runtime/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "runtime/safetensors.h"

namespace rondo {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

size_t round_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// The number of elements. Throws Error where it, in bytes, does not fit the address space.
int64_t count_of(DType dtype, std::span<const int64_t> shape) {
  const int64_t limit = std::numeric_limits<int64_t>::max() / 2 / static_cast<int64_t>(size_of(dtype));
  int64_t count = 1;
  for (int64_t extent : shape)
    if (extent < 0) throw Error(fmt::format("{}: extents must not be negative", to_string(dtype, shape)));
  if (std::ranges::find(shape, 0) != shape.end()) return 0;
  for (int64_t extent : shape) {
    if (extent > limit / count) throw Error(fmt::format("{}: too large", to_string(dtype, shape)));
    count *= extent;
  }
  return count;
}

template <class T>
constexpr DType dtype_for() {
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  if constexpr (std::is_same_v<T, int32_t>) return DType::i32;
}

void check_dtype(const Buffer& buffer, DType wanted) {
  if (buffer.dtype() != wanted)
    throw Error(
        fmt::format("the buffer is {}, not {}", to_string(buffer.dtype(), buffer.shape()), name_of(wanted)));
}

std::string names(const std::map<std::string, Buffer>& buffers) {
  std::vector<std::string_view> all;
  for (const auto& [name, buffer] : buffers) all.push_back(name);
  return all.empty() ? "there are none" : fmt::format("there are: {}", fmt::join(all, ", "));
}

void check_same(const std::string& name, const Buffer& here, DType dtype, std::span<const int64_t> shape) {
  if (here.dtype() != dtype || !std::ranges::equal(here.shape(), shape))
    throw Error(fmt::format("{} is {}, not {}", name, to_string(here.dtype(), here.shape()),
                            to_string(dtype, shape)));
}

template <class T>
bool finite(std::span<const T> values) {
  return std::ranges::all_of(values, [](T v) { return std::isfinite(v); });
}

/// Null if there is none. Large memory starts on a huge page and Linux is told that it may consist of such:
/// rows of large matrices are pages apart, and each page that is not known costs a walk through tables.
std::shared_ptr<void> allocate(size_t bytes) {
  const auto alignment = std::align_val_t(bytes < 2 * kHugePage ? kAlignment : kHugePage);
  void* memory = ::operator new(bytes, alignment, std::nothrow);
  if (!memory) return nullptr;
#ifdef __linux__
  if (bytes >= 2 * kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);  // a hint: it may fail
#endif
  return {memory, [alignment](void* p) { ::operator delete(p, alignment); }};
}

}  // namespace

Buffer::Buffer(DType dtype, std::span<const int64_t> shape) : dtype_(dtype) { resize(shape); }

void Buffer::clear() {
  if (data_) std::memset(data_.get(), 0, bytes());
}

void Buffer::resize(std::span<const int64_t> shape) {
  if (data_ && std::ranges::equal(shape, shape_)) return;
  const int64_t count = count_of(dtype_, shape);
  const size_t needed = std::max(round_up(static_cast<size_t>(count) * size_of(dtype_)), kAlignment);
  if (needed > capacity_) {
    data_ = allocate(needed);
    if (!data_) throw Error(fmt::format("{}: no memory for {} bytes", to_string(dtype_, shape), needed));
    capacity_ = needed;
  }
  std::memset(data_.get(), 0, needed);
  shape_.assign(shape.begin(), shape.end());
  count_ = count;
}

template <class T>
std::span<T> Buffer::as() {
  check_dtype(*this, dtype_for<T>());
  return {static_cast<T*>(data_.get()), static_cast<size_t>(count_)};
}
template <class T>
std::span<const T> Buffer::as() const {
  check_dtype(*this, dtype_for<T>());
  return {static_cast<const T*>(data_.get()), static_cast<size_t>(count_)};
}
template std::span<float> Buffer::as();
template std::span<double> Buffer::as();
template std::span<int32_t> Buffer::as();
template std::span<const float> Buffer::as() const;
template std::span<const double> Buffer::as() const;
template std::span<const int32_t> Buffer::as() const;

std::string to_string(DType dtype, std::span<const int64_t> shape) {
  return fmt::format("{}[{}]", name_of(dtype), fmt::join(shape, ","));
}

Buffer& Weights::get(const std::string& name, DType dtype, std::span<const int64_t> shape) {
  if (auto it = buffers_->find(name); it != buffers_->end()) {
    check_same(name, it->second, dtype, shape);
    return it->second;
  }
  return buffers_->emplace(name, Buffer(dtype, shape)).first->second;
}

void Weights::add(const std::string& name, Buffer buffer) {
  if (!buffers_->emplace(name, std::move(buffer)).second)
    throw Error(fmt::format("there is a buffer {} already", name));
}

Buffer& Weights::at(const std::string& name) {
  auto it = buffers_->find(name);
  if (it == buffers_->end()) throw Error(fmt::format("no buffer {}; {}", name, names(*buffers_)));
  return it->second;
}

const Buffer& Weights::at(const std::string& name) const { return const_cast<Weights*>(this)->at(name); }

int64_t Weights::count() const {
  int64_t total = 0;
  for (const auto& [name, buffer] : *buffers_)
    if (is_float(buffer.dtype())) total += buffer.count();
  return total;
}

bool Weights::all_finite() const {
  return std::ranges::all_of(*buffers_, [](const auto& entry) {
    const Buffer& buffer = entry.second;
    if (buffer.dtype() == DType::f32) return finite(buffer.as<float>());
    if (buffer.dtype() == DType::f64) return finite(buffer.as<double>());
    return true;
  });
}

void Weights::save(const std::string& path, const std::map<std::string, std::string>& metadata) const {
  write_safetensors(path, *buffers_, metadata);
}

Weights Weights::load(const std::string& path, std::map<std::string, std::string>* metadata) {
  Weights weights;
  *weights.buffers_ = read_safetensors(path, metadata);
  return weights;
}

void Weights::assign(const Weights& from) {
  for (const auto& [name, buffer] : *buffers_) {
    if (!from.contains(name))
      throw Error(fmt::format("{} {} is missing", name, to_string(buffer.dtype(), buffer.shape())));
    const Buffer& source = from.at(name);
    check_same(name, source, buffer.dtype(), buffer.shape());
  }
  for (const auto& [name, source] : from.all())
    if (!contains(name))
      throw Error(fmt::format("{} {} is of no use here; {}", name, to_string(source.dtype(), source.shape()),
                              names(*buffers_)));
  for (auto& [name, buffer] : *buffers_) std::memmove(buffer.data(), from.at(name).data(), buffer.bytes());
}

}  // namespace rondo
