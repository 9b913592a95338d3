// A compiled function with its memory: named buffers in, one native call, named buffers out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/executable.h"
#include "runtime/weights.h"

namespace rondo {

/// Which inputs of a program live elsewhere or survive calls. All other inputs and the outputs belong to the
/// program.
struct Binding {
  std::vector<std::string> weights =
      {};  // inputs found by name in the Weights (made there if missing); aliased outputs update them
  std::vector<std::string> state =
      {};  // inputs that keep their value between calls, which their aliased outputs write; zero at first
};

/// Runs an Executable. One object belongs to one thread at a time; make one each for several threads (they
/// may share Weights).
///
/// Named dims are set by `resize`; buffers grow as needed and are kept, so that the steady state does not
/// allocate. A dim that is not set is an error at run(). An aliased output is its input's buffer.
class Program {
 public:
  Program() = default;
  /// Throws Error for a name that is no input, or a weight whose buffer has another dtype or shape.
  Program(std::shared_ptr<const Executable>, Weights, Binding = {});
  Program(Program&&) = default;
  Program& operator=(Program&&) = default;

  /// Binds named dims ({{"T", 50}, {"B", 64}}); the others stay. Spans got before are void after. What
  /// changes its shape is zero again, state too; the rest keeps its values.
  void resize(const std::map<std::string, int64_t>& dims);
  /// Throws Error for an unknown dim and one that is not set.
  int64_t dim(std::string_view name) const;

  /// The elements of an input or output with the current dims. Throw Error for an unknown name (with the
  /// names there are), another dtype, or a dim that is not set.
  std::span<float> f32(std::string_view name);
  std::span<double> f64(std::string_view name);
  std::span<int32_t> i32(std::string_view name);
  /// The input or output itself, whatever its dtype.
  const Buffer& buffer(std::string_view name) const { return const_cast<Program*>(this)->find(name); }
  /// Copies values in. Throws Error unless there are exactly as many as the input has elements (says the
  /// shape).
  void set(std::string_view name, std::span<const float> values);
  void set(std::string_view name, std::span<const double> values);
  void set(std::string_view name, std::span<const int32_t> values);
  /// Throws Error unless dtype and shape are those of the input.
  void set(std::string_view name, const Buffer& values);
  /// A scalar input, in its dtype. Throws Error if it is no scalar.
  void set_scalar(std::string_view name, double value);
  /// Output number i, whatever its name.
  const Buffer& output(size_t i) const;
  /// The shape with the current dims.
  const std::vector<int64_t>& shape(std::string_view name) const { return buffer(name).shape(); }

  /// One native call. Checks that all dims are set and that indices are in range ("ids: 70 at [3,1] is
  /// outside [0,65)"). Throws Error; never allocates.
  void run();
  /// State back to zero.
  void reset();
  /// Of frozen weights, makes the copies again that calls read; for weights that have changed.
  void freeze();

  const Signature& signature() const { return executable_->signature(); }
  const Executable& executable() const { return *executable_; }
  Weights& weights() { return weights_; }
  /// The state as named tensors (shared with the program), for checkpoints.
  Weights state() const;
  /// Bytes: inputs and outputs of its own, state, scratch, copies of frozen weights.
  size_t memory_bytes() const;

 private:
  struct Slot {
    const Arg* arg = nullptr;
    Buffer buffer;
    bool ready = false;   // all its dims are set
    bool weight = false;  // the memory belongs to weights_
  };

  Slot& input(const std::string& name);
  Buffer& find(std::string_view name);
  Buffer& find(std::string_view name, DType dtype);
  void allocate();
  void check_indices() const;
  template <class T>
  void copy_in(std::string_view name, std::span<const T> values, std::span<T> into) const;

  std::shared_ptr<const Executable> executable_;
  Weights weights_;
  Binding binding_;
  std::vector<int64_t> dims_;   // values of the signature's dims; -1: not set
  std::vector<Slot> slots_;     // one per argument: inputs, then outputs
  std::vector<uint32_t> home_;  // the slot whose buffer an argument is: its own, or an aliased input's
  std::vector<Buffer> copies_;  // of frozen weights
  std::vector<void*> args_;
  std::vector<int64_t> shape_;  // of the slot in hand, kept so that resize does not allocate
  Buffer scratch_;
};

}  // namespace rondo
