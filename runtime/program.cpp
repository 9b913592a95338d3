#include "runtime/program.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace rondo {
namespace {

int64_t extent(const ArgDim& dim, const std::vector<int64_t>& dims) {
  return dim.dim < 0 ? dim.size : dims[dim.dim];
}

std::string quoted(std::string_view title, const std::vector<Arg>& args) {
  std::vector<std::string_view> names;
  for (const Arg& arg : args) names.push_back(arg.name);
  return fmt::format("{}: {}", title, names.empty() ? "none" : fmt::to_string(fmt::join(names, ", ")));
}

/// [2,1] for element 7 of f32[4,3].
std::vector<int64_t> position(int64_t index, std::span<const int64_t> shape) {
  std::vector<int64_t> result(shape.size());
  for (size_t i = shape.size(); i-- > 0; index /= shape[i]) result[i] = index % shape[i];
  return result;
}

[[noreturn]] void fail_index(const Arg& arg, const Buffer& buffer, int64_t index, const std::string& range) {
  const int32_t value = buffer.as<int32_t>()[index];
  throw Error(fmt::format("{}: {} at [{}] is outside {}", arg.name, value,
                          fmt::join(position(index, buffer.shape()), ","), range));
}

}  // namespace

Program::Program(std::shared_ptr<const Executable> executable, Weights weights, Binding binding)
    : executable_(std::move(executable)), weights_(std::move(weights)), binding_(std::move(binding)) {
  const Signature& s = signature();
  dims_.assign(s.dims.size(), -1);
  for (const Arg& arg : s.inputs) slots_.push_back({.arg = &arg, .buffer = {}});
  for (const Arg& arg : s.outputs) slots_.push_back({.arg = &arg, .buffer = {}});
  for (uint32_t i = 0; i < slots_.size(); ++i) home_.push_back(i);
  for (const auto& [in, out] : s.aliases) {
    RONDO_CHECK(in < s.inputs.size() && out < s.outputs.size(), s.name + ": an alias of no argument");
    const Arg &from = s.inputs[in], &to = s.outputs[out];
    RONDO_CHECK(from.dtype == to.dtype && from.shape == to.shape,
                s.name + ": alias of " + from.name + " and " + to.name + ", which differ");
    home_[s.inputs.size() + out] = in;
  }
  for (const size_t bytes : executable_->copies())
    copies_.push_back(Buffer(DType::pred, {static_cast<int64_t>(bytes)}));
  args_.resize(slots_.size() + copies_.size());
  for (size_t i = 0; i < copies_.size(); ++i) args_[slots_.size() + i] = copies_[i].data();

  for (const std::string& name : binding_.weights) {
    Slot& slot = input(name);
    shape_.clear();
    for (const ArgDim& dim : slot.arg->shape) {
      if (dim.dim >= 0)
        throw Error(fmt::format("{}: weight {} has the named dim {}", s.name, name, s.dims[dim.dim]));
      shape_.push_back(dim.size);
    }
    slot.buffer = weights_.get(name, slot.arg->dtype, shape_);
    slot.weight = slot.ready = true;
  }
  for (const std::string& name : binding_.state) input(name);
  allocate();
  freeze();
}

Program::Slot& Program::input(const std::string& name) {
  const std::vector<Arg>& inputs = signature().inputs;
  const auto it = std::ranges::find(inputs, name, &Arg::name);
  if (it == inputs.end())
    throw Error(fmt::format("{}: no input {}; {}", signature().name, name, quoted("inputs", inputs)));
  return slots_[it - inputs.begin()];
}

Buffer& Program::find(std::string_view name) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].arg->name != name) continue;
    Slot& slot = slots_[home_[i]];
    if (slot.ready) return slot.buffer;
    for (const ArgDim& d : slot.arg->shape)
      if (d.dim >= 0) dim(signature().dims[d.dim]);
  }
  const Signature& s = signature();
  throw Error(fmt::format("{}: no input or output {}; {}; {}", s.name, name, quoted("inputs", s.inputs),
                          quoted("outputs", s.outputs)));
}

Buffer& Program::find(std::string_view name, DType dtype) {
  Buffer& buffer = find(name);
  if (buffer.dtype() != dtype)
    throw Error(
        fmt::format("{} is {}, not {}", name, to_string(buffer.dtype(), buffer.shape()), name_of(dtype)));
  return buffer;
}

std::span<float> Program::f32(std::string_view name) { return find(name, DType::f32).as<float>(); }
std::span<double> Program::f64(std::string_view name) { return find(name, DType::f64).as<double>(); }
std::span<int32_t> Program::i32(std::string_view name) { return find(name, DType::i32).as<int32_t>(); }

void Program::resize(const std::map<std::string, int64_t>& dims) {
  const std::vector<std::string>& names = signature().dims;
  for (const auto& [name, size] : dims) {
    if (std::ranges::find(names, name) == names.end())
      throw Error(fmt::format("{}: no dim {}; dims: {}", signature().name, name, fmt::join(names, ", ")));
    if (size < 0) throw Error(fmt::format("{}: dim {} cannot be {}", signature().name, name, size));
  }
  bool changed = false;
  for (const auto& [name, size] : dims) {
    int64_t& value = dims_[std::ranges::find(names, name) - names.begin()];
    changed = changed || value != size;
    value = size;
  }
  if (!changed) return;
  try {
    allocate();
  } catch (const Error&) {
    std::ranges::fill(dims_, -1);  // dims that buffers do not have must not reach the call
    throw;
  }
}

int64_t Program::dim(std::string_view name) const {
  const std::vector<std::string>& names = signature().dims;
  const auto it = std::ranges::find(names, name);
  if (it == names.end())
    throw Error(fmt::format("{}: no dim {}; dims: {}", signature().name, name, fmt::join(names, ", ")));
  const int64_t value = dims_[it - names.begin()];
  if (value < 0) throw Error(fmt::format("{}: dim {} is not set", signature().name, name));
  return value;
}

/// Gives every argument whose dims are set its memory, and the call its scratch once all are.
void Program::allocate() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (home_[i] == i && !slot.weight) {
      shape_.clear();
      for (const ArgDim& dim : slot.arg->shape) shape_.push_back(extent(dim, dims_));
      slot.ready = std::ranges::find(shape_, -1) == shape_.end();
      if (!slot.ready) continue;
      if (slot.buffer.data()) {
        slot.buffer.resize(shape_);
      } else {
        slot.buffer = Buffer(slot.arg->dtype, shape_);
      }
    }
    args_[i] = slots_[home_[i]].buffer.data();
  }
  if (std::ranges::find(dims_, -1) != dims_.end()) return;
  const size_t bytes = executable_->scratch_bytes(dims_.data());
  if (!scratch_.data() || scratch_.capacity() < bytes)
    scratch_ = Buffer(DType::pred, {static_cast<int64_t>(bytes)});
}

void Program::set(std::string_view name, std::span<const float> values) { copy_in(name, values, f32(name)); }
void Program::set(std::string_view name, std::span<const double> values) { copy_in(name, values, f64(name)); }
void Program::set(std::string_view name, std::span<const int32_t> values) {
  copy_in(name, values, i32(name));
}

template <class T>
void Program::copy_in(std::string_view name, std::span<const T> values, std::span<T> into) const {
  if (values.size() != into.size()) {
    const Buffer& b = buffer(name);
    throw Error(fmt::format("{}: {} values for {}, which takes {}", name, values.size(),
                            to_string(b.dtype(), b.shape()), into.size()));
  }
  std::ranges::copy(values, into.begin());
}

void Program::set(std::string_view name, const Buffer& values) {
  Buffer& into = find(name);
  if (into.dtype() != values.dtype() || into.shape() != values.shape())
    throw Error(fmt::format("{}: {} for {}", name, to_string(values.dtype(), values.shape()),
                            to_string(into.dtype(), into.shape())));
  std::memcpy(into.data(), values.data(), into.bytes());
}

void Program::set_scalar(std::string_view name, double value) {
  Buffer& into = find(name);
  if (!into.shape().empty())
    throw Error(fmt::format("{} is {}, not a scalar", name, to_string(into.dtype(), into.shape())));
  switch (into.dtype()) {
    case DType::f32: into.as<float>()[0] = static_cast<float>(value); break;
    case DType::f64: into.as<double>()[0] = value; break;
    case DType::i32: into.as<int32_t>()[0] = static_cast<int32_t>(value); break;
    case DType::pred: *static_cast<uint8_t*>(into.data()) = value != 0;
  }
}

const Buffer& Program::output(size_t i) const {
  RONDO_CHECK(i < signature().outputs.size(), fmt::format("output {} of {}", i, signature().outputs.size()));
  return slots_[home_[signature().inputs.size() + i]].buffer;
}

void Program::check_indices() const {
  for (const Signature::Bound& b : signature().bounds) {
    const Slot& slot = slots_[b.input];
    const int64_t bound = extent(b.bound, dims_) + b.more;
    const auto size = static_cast<uint64_t>(bound - b.low);
    // One unsigned comparison covers both ends: what is below the range is at least 2^63.
    const std::span<const int32_t> values = slot.buffer.as<int32_t>();
    const auto bad =
        std::ranges::find_if(values, [&](int64_t v) { return static_cast<uint64_t>(v - b.low) >= size; });
    if (bad == values.end()) continue;
    // A range that ends with a named dim, [0,T], is named by it.
    const bool of_dim = b.bound.dim >= 0 && b.more == 1 && b.low == 0;
    fail_index(*slot.arg, slot.buffer, bad - values.begin(),
               of_dim ? fmt::format("[0,{0}], {0} = {1}", signature().dims[b.bound.dim], bound - 1)
                      : fmt::format("[{},{})", b.low, bound));
  }
}

void Program::run() {
  for (size_t i = 0; i < dims_.size(); ++i)
    if (dims_[i] < 0)
      throw Error(fmt::format("{}: dim {} is not set", signature().name, signature().dims[i]));
  check_indices();
  executable_->call(args_.data(), dims_.data(), scratch_.data());
}

void Program::reset() {
  for (const std::string& name : binding_.state) input(name).buffer.clear();
}

void Program::freeze() { executable_->freeze(args_.data()); }

Weights Program::state() const {
  Weights result;
  for (const std::string& name : binding_.state) result.add(name, buffer(name));
  return result;
}

size_t Program::memory_bytes() const {
  size_t bytes = scratch_.capacity();
  for (const Buffer& copy : copies_) bytes += copy.capacity();
  for (const Slot& slot : slots_)
    if (!slot.weight) bytes += slot.buffer.capacity();
  return bytes;
}

}  // namespace rondo
