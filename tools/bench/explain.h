// Where the time of a model goes: each kernel's part of it, beside the least that it takes.
#pragma once

#include <string>
#include <vector>

#include "tools/bench/limits.h"
#include "tools/bench/models.h"

namespace rondo::bench {

struct KernelTime {
  KernelLimit limit;
  double seconds = 0;  // sampled, of a call
};

struct Explanation {
  double seconds = 0;               // of a call
  double peak_gflops = 0;           // of multiply-adds
  std::vector<KernelTime> kernels;  // in the order of the program
  double elsewhere = 0;  // seconds in no kernel: calls and loops, or all, where few kernels are one function
};

/// Runs the model for about so many seconds. `folder`: for the stages of the compilation.
Explanation explain(const Spec&, double seconds, const std::string& folder);

}  // namespace rondo::bench
