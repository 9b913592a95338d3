// Checks what every Func promises.
#pragma once

#include <string>
#include <vector>

#include "ir/func.h"

namespace rondo::ir {

/// Every violation as "rule: printed op"; empty if func is well formed. The rules:
///  defined-before-use   an operand is a param or the result of an earlier op of the same region
///  single-definition    values, ops and results agree: each value is a param or one result of one op
///  arity                as many operands as the op takes
///  types                the result types are what the op's own rule infers
///  isolated             a scan's body uses its own values only; its params and results fit the scan's
///  operands results              the function's results are values of the function
std::vector<std::string> verify(const Func&);

/// Throws InternalError with all violations and the function's text.
void check(const Func&, const std::string& when);

}  // namespace rondo::ir
