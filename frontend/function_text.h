// Functions of a model as one text: the tensor IR, and in lines before each what the IR has no place for.
//
//     // weights lstm.wx, lstm.wh
//     // state h0 = hT
//     func @run(%lstm.wx: f32[3,8], %lstm.wh: f32[2,8], %h0: f32[B,2], %x: f32[T,B,3]) -> (...) { ... }
//
//     weights A, B         inputs that are parameters
//     slots A              inputs that live beside them: an optimizer's
//     state A = R, B = R   inputs that the outputs R become when the call ends
//     updates A = R        the same for weights and slots
//     outputs R, S         the outputs' names, where those of the values will not do
//     settings A = 0.5     first values of scalar inputs
//     pipeline p,q         the passes to run
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/function.h"

namespace rondo {

std::string print_functions(const std::vector<Function>& functions);
/// What print_functions wrote, or one who writes by hand. Throws Error with file and line.
std::vector<Function> parse_functions(std::string_view text, std::string_view file = "text");

}  // namespace rondo
