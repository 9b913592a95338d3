// Evaluates a function before and after a pass.
#pragma once

#include <string_view>

#include "ir/func.h"

namespace rondo::passes {

/// Evaluates both on the same random inputs, with every named dim a small number. Results that both have must
/// agree, to the rounding of folded f32 constants; throws InternalError naming the pass if they do not. A
/// pass may add params and results after those there are, and bind dims.
void check_pass(std::string_view pass, const ir::Func& before, const ir::Func& after);

}  // namespace rondo::passes
