// Tables of constants in which every lane of a vector looks up a row of its own.
#pragma once

#include <array>
#include <span>

#include "codegen/llvm/values.h"

namespace rondo::codegen {

constexpr int kTableRows = 8;
using TableColumn = std::array<float, kTableRows>;

struct LookupTable {
  const char* name;                      // in memory
  std::span<const TableColumn> columns;  // at most 8
};

/// Of a table the row that the low three bits of an index name; lane by lane of i32. In registers where the
/// target can (`Target::lookup`), else from memory. With few registers a column is looked up where it is
/// asked for; with many all are at the start, as they wait for nothing else.
class TableRows {
 public:
  TableRows(FunctionBuilder&, const LookupTable&, llvm::Value* index);
  llvm::Value* operator[](size_t column) const;

 private:
  FunctionBuilder& f_;
  LookupTable table_;
  unsigned lanes_;
  Values keys_;   // what tells the rows of some lanes each
  Values found_;  // all columns, or none
  llvm::Value* find(size_t column) const;
};

/// How many registers of lanes best take their rows together. Halves are found for two at once, and with four
/// few operations wait for those just before; RISC-V's instructions are for several.
unsigned lookup_registers(const Target&);

}  // namespace rondo::codegen
