// Functions: what is compiled. A user's lambda is traced once into the tensor IR.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "frontend/ops.h"
#include "frontend/param.h"
#include "frontend/scan.h"
#include "ir/func.h"
#include "passes/pipeline.h"
#include "runtime/executable.h"

namespace rondo {

class Trace;

/// A traced function with named inputs and outputs. Some of its inputs outlive a call: weights, and state.
struct Function {
  /// An output that becomes the value of an input when the call ends.
  struct Update {
    std::string input, output;
  };

  Function() = default;
  /// Traces body. Numbers, parameters and inputs without a dtype are of the model's dtype.
  Function(std::string name, const Model& model, const std::function<void(Trace&)>& body);
  Function(std::string name, DType dtype, const std::function<void(Trace&)>& body);

  /// The output's index among the results. Throws Error, listing the outputs, if there is none of that name.
  size_t output_index(const std::string& output) const;
  /// The updates as indices, in what passes made of `func`.
  std::vector<Signature::Alias> aliases(const ir::Func& compiled) const;

  DType dtype = DType::f32;
  ir::Func func;
  std::vector<std::string> outputs;  // one name per result
  std::vector<Param> params;         // the parameters it reads, in the model's order
  std::vector<std::string> slots;    // inputs that live beside the parameters: an optimizer's
  std::vector<std::string> state;    // inputs that live in the program, zero at first
  std::vector<Update> updates;
  std::map<std::string, double> defaults;    // first values of scalar inputs
  int64_t random_sites = 0;                  // how many places of it draw random numbers
  std::string pipeline{passes::kInference};  // the passes that compile runs
  double pass_seconds = 0;                   // spent in passes already, to get here
  /// The same with long scans in windows (passes/recompute.cpp), for calls whose stash would take more than
  /// stash_bytes; none: there is no limit.
  std::shared_ptr<const Function> in_windows = {};
  int64_t stash_bytes = 0;
};

/// The dim of a function in windows that says how many steps one has.
inline constexpr std::string_view kLongestWindow = "longest_window";

/// The function in training or in evaluation: its input "training" is set, and what it decides is decided. In
/// evaluation it has no inputs for random numbers, unless it draws some all the same.
Function bind_training(const Function& function, bool training);

/// What the lambda of a Function declares its inputs and outputs with.
class Trace {
 public:
  /// An input that each call may change.
  Tensor input(const std::string& name, DType dtype, Shape shape, Where where = Where::here());
  Tensor input(const std::string& name, Shape shape, Where where = Where::here());
  /// A scalar input that has a value from the start.
  Tensor setting(const std::string& name, double value, Where where = Where::here());
  Tensor setting(const std::string& name, DType dtype, double value, Where where = Where::here());

  /// A state that survives calls: what `keep` was given by the last one, and `initial` before the first,
  /// which may be any struct of tensors: zeros, parameters that are learned, or made of inputs.
  template <class S>
  S state(const std::string& name, const S& initial, Where where = Where::here()) {
    std::vector<Tensor> tensors;
    for (const Tensor& t : tensors_of(initial))
      tensors.push_back(add_state(member(name, tensors.size()), t, where));
    return with_tensors(initial, tensors);
  }
  /// The state after the call.
  template <class S>
  void keep(const std::string& name, const S& next, Where where = Where::here()) {
    size_t i = 0;
    for (const Tensor& t : tensors_of(next)) update(member(name, i++), t, where);
  }

  /// An output: a tensor, or a struct of tensors "name.0", "name.1" ...
  template <class S>
  void output(const std::string& name, const S& value, Where where = Where::here()) {
    if constexpr (std::is_convertible_v<S, Operand>) {
      add_output(name, value, where);
    } else {
      size_t i = 0;
      for (const Tensor& t : tensors_of(value)) add_output(member(name, i++), t, where);
    }
  }

  /// An input that lives beside the parameters, zero at first: an optimizer's memory.
  Tensor slot(const std::string& name, Type type, Where where = Where::here());
  /// The value of an input, a slot or a parameter after the call.
  void update(const std::string& input, const Tensor& next, Where where = Where::here());
  /// The results of a function, over inputs of the same names.
  std::vector<Tensor> call(const Function& function, Where where = Where::here());

  /// For library code: the inputs of frontend/random.h, made at their first use, and the next number of a
  /// place that draws.
  Tensor training(Where where);
  Tensor random_seed(Where where);
  Tensor random_count(Where where);
  int64_t next_site() { return function_.random_sites++; }

 private:
  friend struct Function;
  Trace(Function& function, Region& region);
  static std::string member(const std::string& name, size_t index);  // "name.0"
  Tensor add_input(const std::string& name, Type type, Where where);
  Tensor add_state(const std::string& name, const Tensor& initial, Where where);
  Tensor started(const std::string& state, const Type& type, Where where);
  void add_output(const std::string& name, const Operand& value, Where where);
  void finish();

  struct Result {
    std::string name;
    ir::Value value;
  };
  Function& function_;
  Region& region_;
  std::map<std::string, Tensor> inputs_;
  std::vector<ir::Value> order_;  // of the inputs
  std::vector<Result> outputs_, updates_;
};

}  // namespace rondo
