// Loop programs built by hand, and both ways to run them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codegen/llvm/jit.h"
#include "ir/loops.h"
#include "ir/op_def.h"

namespace rondo::test {

/// A loop program under construction. Every buffer gets memory of its own.
class Loops {
 public:
  explicit Loops(std::vector<std::string> dims = {}) { program.dims = std::move(dims); }

  ir::BufferId input(DType, ir::Poly size);
  ir::BufferId output(DType, ir::Poly size);
  ir::BufferId scratch(DType, ir::Poly size);
  void add(const ir::Kernel& kernel);

  ir::LoopProgram program;
};

/// An expression under construction.
class Expr {
 public:
  explicit Expr(ir::Nodes& nodes) : nodes_(nodes) {}
  ir::NodeId load(DType, ir::BufferId, std::vector<ir::Poly> strides, ir::Poly offset = 0);
  ir::NodeId row(DType, ir::BufferId, ir::NodeId row, ir::Poly row_stride, ir::Poly rows,
                 std::vector<ir::Poly> strides);
  ir::NodeId constant(DType, double);
  ir::NodeId index(DType, std::vector<ir::Poly> strides, ir::Poly offset = 0);
  ir::NodeId acc(DType, uint32_t);
  ir::NodeId apply(ir::ScalarOp, DType, std::vector<ir::NodeId> args);

 private:
  ir::NodeId add(ir::Node);
  ir::Nodes& nodes_;
};

ir::Store store(ir::BufferId, ir::NodeId value, std::vector<ir::Poly> strides, ir::Poly offset = 0);

/// Values in [-2, 2), or small integers for i32 and bits for pred.
ir::Array random_array(DType, int64_t count, uint32_t seed);

/// A loop program as machine code.
class Native {
 public:
  explicit Native(const ir::LoopProgram&, const codegen::Target& = codegen::target_for());
  /// The outputs, flat; scratch starts as NaN.
  std::vector<ir::Array> run(const std::vector<ir::Array>& inputs, const ir::DimValues&) const;

 private:
  ir::LoopProgram program_;
  std::unique_ptr<codegen::NativeCode> code_;
};
std::vector<ir::Array> run_native(const ir::LoopProgram&, const std::vector<ir::Array>& inputs,
                                  const ir::DimValues&, const codegen::Target& = codegen::target_for());
std::vector<ir::Array> run_interpreted(const ir::LoopProgram&, const std::vector<ir::Array>& inputs,
                                       const ir::DimValues&);
std::vector<ir::Array> random_inputs(const ir::LoopProgram&, const ir::DimValues&);

/// Expects results equal to `tolerance`, relative to 1 + |value|.
void expect_near(const std::vector<ir::Array>& expected, const std::vector<ir::Array>& got, double tolerance);

/// Runs both on random inputs, with each of the dims, and expects the same.
void expect_same_for_all(const ir::LoopProgram&, const std::vector<ir::DimValues>& dims,
                         double tolerance = 2e-5, const codegen::Target& = codegen::target_for());
void expect_same(const ir::LoopProgram&, const ir::DimValues& = {}, double tolerance = 2e-5,
                 const codegen::Target& = codegen::target_for());

/// The host, an AVX2 machine and a plain x86-64 without FMA (if the host is one of them).
std::vector<codegen::Target> targets();

}  // namespace rondo::test
