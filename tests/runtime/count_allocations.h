// Counts what the test program allocates: link count_allocations.cpp, which replaces the global operator new.
#pragma once

#include <cstdint>

namespace rondo::testing {

/// Calls of any operator new so far, by any thread.
int64_t allocation_count();

}  // namespace rondo::testing
