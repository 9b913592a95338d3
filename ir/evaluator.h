// The reference evaluator: runs any Func slowly and obviously, in f64. It is the definition of what a Func
// means.
#pragma once

#include <span>
#include <vector>

#include "ir/op_def.h"

namespace rondo::ir {

/// Evaluates func. dims binds the names that no input's shape binds (the trip counts of scans without xs);
/// the rest are bound from the inputs. Values of an f32 are not rounded to f32. Throws Error if the inputs do
/// not fit the params.
std::vector<Array> evaluate(const Func& func, std::span<const Array> inputs, const DimValues& dims = {});

/// The same over inputs that lie elsewhere.
std::vector<Array> evaluate(const Func& func, std::span<const Array* const> inputs,
                            const DimValues& dims = {});

/// Binds the named dims of the params from real shapes. Throws Error where two disagree or a number differs.
DimValues bind_dims(const Func& func, std::span<const std::vector<int64_t>> shapes, DimValues dims = {});

}  // namespace rondo::ir
