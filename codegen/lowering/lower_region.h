// Lowers one region (a function or a scan's body) to statements over buffers.
#pragma once

#include <string>
#include <vector>

#include "codegen/lowering/kernel_builder.h"
#include "ir/func.h"
#include "ir/loops.h"

namespace rondo::codegen {

/// params[i]: where param i is. destinations[i]: where result i goes; none if it need not be stored anywhere
/// in particular. in_loop: the region is a scan's body.
std::vector<ir::Stmt> lower_region(ProgramBuilder&, const ir::Func& region, const std::vector<View>& params,
                                   const std::vector<View>& destinations, bool in_loop = false);

/// A kernel that copies a tensor of this type.
ir::Stmt copy_kernel(const std::string& name, const ir::Type&, const View& from, const View& to);

}  // namespace rondo::codegen
