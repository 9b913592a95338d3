// Runs a loop program slowly in f64, to test lowering, fusion and planning without LLVM.
#pragma once

#include <span>
#include <vector>

#include "ir/loops.h"
#include "ir/op_def.h"

namespace rondo::codegen {

/// inputs: as for ir::evaluate; dims binds all named dims. Returns the outputs with the given shapes.
/// With `poison`, scratch memory starts as NaN and slots are laid out as plan_memory says, so that a wrong
/// plan shows. Threads of a program run one after the other from one wait to the next; throws InternalError
/// where one of them writes an element that another one reaches. terms: receives how many terms all
/// accumulators took, which is the work of matrix products.
std::vector<ir::Array> interpret(const ir::LoopProgram& program, std::span<const ir::Array> inputs,
                                 std::span<const std::vector<int64_t>> output_shapes,
                                 const ir::DimValues& dims, int64_t* terms = nullptr);

}  // namespace rondo::codegen
