// Ops of numbers.
#pragma once

#include <optional>
#include <span>

#include "ir/func.h"

namespace rondo::passes {

/// What every element of a pointwise op is where every element of its operands is a number, by the op's own
/// rule; none if it is not finite. f32 operands are rounded to f32 first, and so is the result: one rounding
/// from double gives the bits that f32 arithmetic gives.
std::optional<double> fold(const ir::Func&, const ir::Op&, DType result, std::span<const double> numbers);

}  // namespace rondo::passes
