// What a step of a loop reaches of sequences: memory that a product can ask for before others need it.
#pragma once

#include <vector>

#include "codegen/loops/split_kernels.h"

namespace rondo::codegen {

/// Elements that follow each other, from the one at `first` on, which has no variables but those of loops.
struct Run {
  ir::Access first;
  ir::Poly elements;
  DType dtype = DType::f32;
};

struct StepRuns {
  std::vector<Run> runs;
  std::vector<Share> shares;  // that the polynomials of runs hold
};

/// What the statements between one of a loop's products and the next one read and write of sequences that the
/// loop walks: of the same step, and, where the next product is in the next step, of that one. Of one of so
/// many threads; nothing where that is little.
StepRuns runs_after(const ir::Loop&, size_t product, int64_t threads);

}  // namespace rondo::codegen
