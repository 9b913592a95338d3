// Random inputs and differences, under the names that tests use.
#pragma once

#include "ir/arrays.h"

namespace rondo::test {

using ir::difference;
using ir::random_inputs;
using ir::shapes_of;

}  // namespace rondo::test
