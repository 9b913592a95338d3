// What RONDO_SKIP leaves out, to find what a part of the compiler does, or does wrong.
#pragma once

#include <string_view>

namespace rondo {

/// Whether the environment's RONDO_SKIP names it: a pass, a way to run loops ("by-points"), where buffers
/// stand ("share-columns", "nest-buffers"), what loop programs do without ("merge-sums", "fuse-rows",
/// "pack-parts", "overwrite-rows"), that few kernels are one function ("inline"), or an order of instructions
/// of our own ("order"). Names are parted by commas.
bool is_skipped(std::string_view name);

}  // namespace rondo
