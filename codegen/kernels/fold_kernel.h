// A kernel where some of its values are known.
#pragma once

#include <functional>
#include <optional>

#include "ir/loops.h"

namespace rondo::codegen {

struct FoldOptions {
  /// The number that node `id` of these nodes (the kernel's, or those of its accumulator `acc`) is known to
  /// be.
  std::function<std::optional<double>(const ir::Nodes&, ir::NodeId id, uint32_t acc)> known;
  /// A buffer that holds the same elements as that of a load, or kNone.
  std::function<ir::BufferId(const ir::Access&, uint32_t acc)> same;
  /// Zero times anything is zero, even if that is no number.
  bool absorb = false;
};

/// The kernel with what follows from the known values folded: what selects do not choose, products with zero,
/// sums of zeros. It keeps its nodes' numbers, its accumulators and all its stores.
ir::Kernel fold_kernel(const ir::Kernel&, const FoldOptions&);

/// Keeps the nodes that `roots` need; the new number of each node, kNone if it is gone.
std::vector<ir::NodeId> prune_nodes(ir::Nodes&, const std::vector<ir::NodeId>& roots);
/// Whether a node is this constant.
bool is_constant(const ir::Nodes&, ir::NodeId, double number);
/// Whether a store writes the element that it loads, as it is.
bool stores_nothing_new(const ir::Kernel&, const ir::Store&);
/// Without the nodes and accumulators that no store uses.
ir::Kernel prune_kernel(const ir::Kernel&);

}  // namespace rondo::codegen
