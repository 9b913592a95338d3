// The least time of each kernel of a program: what it does, at the rates that the machine reaches with each
// part alone.
#pragma once

#include <string>
#include <vector>

#include "codegen/target.h"
#include "ir/loops.h"
#include "tools/bench/rates.h"

namespace rondo::bench {

/// Seconds of a call. Products and other operations share the vector units; memory comes in meanwhile, and
/// steps may have to wait for each other, whichever takes longest.
struct KernelLimit {
  std::string name;
  std::string what;       // its extents, those of its sums, and which loop of time it stands in
  double products = 0;    // multiply-adds of sums
  double operations = 0;  // all else: gates, their gradients, softmax, optimizer
  double memory = 0;   // reading what each run and tile reads, from the cache that holds what is read again
  double chain = 0;    // operations of which each waits for the one before
  double packing = 0;  // copies of operands, read and written
  double least = 0;    // of all runs
};

/// Kernels of one name are one, in the order of the program. What is packed before a loop is "pack".
std::vector<KernelLimit> limits_of(const ir::LoopProgram&, const codegen::Target&, const ir::DimValues&,
                                   const Rates&);

}  // namespace rondo::bench
