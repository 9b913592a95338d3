// Tables of constants in which every lane of a vector looks up a row of its own.
#pragma once

#include <array>
#include <span>

#include "codegen/llvm_values.h"

namespace rondo::codegen {

constexpr int kTableRows = 8;
using TableColumn = std::array<float, kTableRows>;

/// Of every column (at most 8) the number in the row that the low three bits of an index name; lane by lane
/// of i32. In registers where the target can (`Target::lookup_lanes`), else from memory, where `name` is the
/// table's.
Values look_up(FunctionBuilder&, const char* name, std::span<const TableColumn> columns, llvm::Value* index);

}  // namespace rondo::codegen
