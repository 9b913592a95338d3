// The families of ops: each is one array of OpDefs, in ir/ops/<family>.cpp.
#pragma once

#include <array>

#include "ir/op_def.h"

namespace rondo::ir {

inline constexpr size_t kLeafOps = 4, kElementwiseOps = 23, kMovementOps = 6, kIndexedOps = 4,
                        kContractionOps = 4, kScanOps = 1;
static_assert(kLeafOps + kElementwiseOps + kMovementOps + kIndexedOps + kContractionOps + kScanOps ==
                  kOpCount,
              "every op has an OpDef in exactly one family");

const std::array<OpDef, kLeafOps>& leaf_ops();
const std::array<OpDef, kElementwiseOps>& elementwise_ops();
const std::array<OpDef, kMovementOps>& movement_ops();
const std::array<OpDef, kIndexedOps>& indexed_ops();
const std::array<OpDef, kContractionOps>& contraction_ops();
const std::array<OpDef, kScanOps>& scan_ops();

}  // namespace rondo::ir
