// A compiled function with its memory: named buffers in, one native call, named buffers out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/executable.h"
#include "runtime/weights.h"

namespace rondo {

/// Which buffers of a program live elsewhere and survive calls. All other inputs and the outputs belong to the program.
struct Binding {
  std::vector<std::string> weights;  // inputs found by name in the Weights; aliased outputs update them
  std::vector<std::string> state;    // inputs that keep their value between calls: output `next` of the alias writes it; zero at first
};

/// Runs an Executable. One object belongs to one thread at a time; make one each for several threads (they may share Weights).
///
/// Named dims are set by `resize`; buffers grow as needed and are kept, so that the steady state does not allocate. A dim that is not
/// set is an error at run().
class Program {
 public:
  Program() = default;
  Program(std::shared_ptr<const Executable>, Weights, Binding);

  /// Binds named dims ({{"T", 50}, {"B", 64}}). Spans got before are void after. State whose shape changes is reset to zero.
  void resize(const std::map<std::string, int64_t>& dims);
  int64_t dim(const std::string& name) const;

  /// Inputs and outputs by name, as they are with the current dims. Throw Error for an unknown name (with the names there are) or another dtype.
  std::span<float> f32(const std::string& name);
  std::span<double> f64(const std::string& name);
  std::span<int32_t> i32(const std::string& name);
  /// Copies values in. Throws Error unless there are exactly as many as the input has elements (says the shape).
  void set(const std::string& name, std::span<const float> values);
  void set(const std::string& name, std::span<const double> values);
  void set(const std::string& name, std::span<const int32_t> values);
  /// The shape with the current dims.
  std::vector<int64_t> shape(const std::string& name) const;

  /// One native call. Checks that all dims are set and that indices are in range ("ids: 70 at [3,1] is outside [0, 65)"). Throws Error; never allocates once
  /// buffers have their size.
  void run();
  /// State back to zero.
  void reset();

  const Signature& signature() const { return executable_->signature(); }
  Weights& weights() { return weights_; }
  /// The state as named tensors (shared with the program), for checkpoints.
  Weights state();
  /// Bytes: inputs and outputs of its own, state, scratch.
  size_t memory_bytes() const;

 private:
  std::shared_ptr<const Executable> executable_;
  Weights weights_;
  Binding binding_;
  // (the implementation's members follow)
};

}  // namespace rondo
