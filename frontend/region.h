// One function or scan body while it is traced: where tensors come from, and how a body gets at values around
// it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "frontend/tensor.h"
#include "ir/builder.h"

namespace rondo {

class Trace;

/// The regions of a thread form a stack: a function, and inside it the bodies of scans. The innermost one
/// receives the ops.
///
/// A region captures nothing by itself: a tensor of an enclosing region that is used here becomes a param
/// here, and so in each region between. The scan that closes the region turns these params into its consts.
class Region {
 public:
  /// Opens the outermost region of a function.
  Region(std::string name, DType dtype);
  /// Opens the body of a scan.
  Region();
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// The innermost region. Throws Error if nothing is being traced.
  static Region& current(Where where);
  /// The function around all.
  Region& outermost();
  /// The region around this one; null for a function.
  Region* outer() const { return outer_; }
  /// While one lives, the given region receives the ops: an enclosing one of the innermost.
  class Within {
   public:
    explicit Within(Region& region);
    ~Within();
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    Region* const before_;
  };
  /// While one lives, nothing is being traced, so that another function may be.
  class Apart {
   public:
    Apart();
    ~Apart();
    Apart(const Apart&) = delete;
    Apart& operator=(const Apart&) = delete;

   private:
    Region* const before_;
  };
  /// The dtype of numbers and parameters.
  DType dtype() const { return dtype_; }

  Tensor param(Type type, std::string name);
  /// The input of the outermost region that holds the parameter; added at its first use.
  Tensor param(const Param& param, Where where);
  const std::vector<std::pair<Param, ir::Value>>& params() const { return params_; }

  /// In the body of a scan: the index of the step, i32[], a param from its first use on.
  Tensor step();
  std::optional<ir::Value> step_param() const { return step_; }
  /// What declares the inputs of the function; the outermost region has one.
  Trace& trace() const { return *trace_; }
  void set_trace(Trace& trace) { trace_ = &trace; }

  ir::Builder& builder() { return builder_; }
  Tensor tensor(ir::Value value) const { return {id_, value, builder_.type(value)}; }
  /// The tensor as a value of this region, captured if it belongs to an enclosing one.
  ir::Value use(const Tensor& tensor, Where where);

  struct Capture {
    Tensor outer;     // in the region around this one
    ir::Value param;  // here
  };
  const std::vector<Capture>& captures() const { return captures_; }

  /// The function with its params in the given order, all of them.
  ir::Func finish(const std::vector<ir::Value>& params, const std::vector<ir::Value>& results);

 private:
  uint64_t id_;
  Region* outer_;
  Trace* trace_ = nullptr;
  DType dtype_;
  ir::Builder builder_;
  std::vector<Capture> captures_;
  std::map<std::pair<uint64_t, ir::Value>, ir::Value> captured_;
  std::vector<std::pair<Param, ir::Value>> params_;
  std::optional<ir::Value> step_;
};

using EmitOps = std::function<ir::Value(ir::Builder&, const std::vector<ir::Value>& operands)>;
/// Emits ops over the operands into the current region. Errors name the place.
Tensor emit(Where where, const std::vector<Operand>& operands, const EmitOps& ops);

}  // namespace rondo
