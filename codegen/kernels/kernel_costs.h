// What a run of a kernel does, counted in its loop nest: multiply-adds, other operations, memory.
#pragma once

#include <map>
#include <vector>

#include "codegen/target.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// In the named dims.
struct KernelCosts {
  ir::Poly multiply_adds;  // terms of sums of products
  /// All other operations, one for each element. Loads, constants and indices are none.
  std::map<ir::ScalarOp, ir::Poly> operations;
};
KernelCosts costs_of(const ir::Kernel&);

/// Elements of its operands that a run of a kernel with Schedule::block packs; 0 for others.
int64_t packed_elements(const ir::Kernel&, const Target&, const ir::DimValues&);
/// What a Pack copies.
ir::Poly packed_elements(const ir::Pack&);

/// The elements that an access of a kernel reaches, each once.
struct Reached {
  ir::Access access;
  ir::Poly elements;
};
/// Of all loads and stores of a kernel; equal accesses are there once.
std::vector<Reached> reached(const ir::Kernel&);

}  // namespace rondo::codegen
