// The sums of the gemm form's tiles, in registers while terms are added.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "codegen/llvm/prefetch.h"

namespace rondo::codegen {

/// Some rows of a tile: so many, after those that are done.
struct TileRows {
  unsigned count;
  llvm::Value* done;
};

/// A block of terms whose right operands are packed, and left ones unless they are read in place.
struct PackedTerms {
  Interval terms;
  llvm::Value *left, *right;
};

/// Of a kernel's tiles.
class TileSums {
 public:
  /// `blocked`: operands are packed on the way. `ahead`: what to ask for; it must live as long.
  TileSums(const GemmTiles& tiles, bool blocked, const std::vector<Run>& ahead)
      : t_(tiles), s_(tiles.s), f_(tiles.f), blocked_(blocked), ahead_(ahead) {}

  /// The rows of a tile whose sums registers hold at a time.
  int64_t rows_at_once(const ColumnBlock&) const;
  /// The sums of one group over the whole of k, right operands packed before or read where they are.
  void add_all(const TilePlace&, uint32_t group, TileRows) const;
  /// Over a block of k. They go on from where the sums of the blocks before stand, to `to`.
  void add_block(const TilePlace&, const TilePlace& to, uint32_t group, TileRows, const PackedTerms&) const;

 private:
  /// A vector of a row of sums: of one accumulator, or, of packed operands, of several that stand side by
  /// side.
  struct SumVector {
    size_t acc;  // of the group
    ColumnVector columns;
  };
  using LoadVector = std::function<llvm::Value*(const SumVector&, const Values& at, llvm::Value* k)>;
  using LoadScalar = std::function<llvm::Value*(unsigned row, const Values& at, llvm::Value* k)>;
  using AddTerm = std::function<void(const Values& at, llvm::Value* k, std::span<llvm::Value*> sums)>;
  using FoldTerms = std::function<Values(const Values& init, const AddTerm&)>;

  /// Of a group over a run of k: where its operands come from, and how its terms are walked.
  struct Walk {
    uint32_t group;
    llvm::Value* k_start;
    LoadScalar left;
    LoadVector right;
    FoldTerms fold;
  };

  bool has_packed(uint32_t group) const;
  std::vector<SumVector> sum_vectors(uint32_t group, const ColumnBlock&) const;
  LoadVector packed_right(const GemmGroup&, llvm::Value* packed, const ColumnBlock&, llvm::Value* column,
                          llvm::Value* extent) const;
  LoadVector right_of_all(const GemmGroup&, uint32_t group, const ColumnBlock&) const;
  LoadScalar load_left(const GemmGroup&, llvm::Value* row) const;
  void add(const TilePlace&, const TilePlace& to, TileRows, const Walk&) const;
  void add_part(const TilePlace&, const TilePlace& to, TileRows, const Walk&,
                std::span<const SumVector>) const;
  Values fold_terms(uint32_t group, const ColumnBlock&, unsigned rows, llvm::Value* end, const Values& init,
                    std::span<const Ahead>, const FunctionBuilder::AddTerm&) const;
  /// The same for terms that two variables count: run by run.
  Values fold_runs(uint32_t group, const TilePlace&, unsigned rows, Interval terms, const Values& init,
                   std::span<const Ahead>, const AddTerm&) const;
  llvm::Value* sum_mask(const ColumnBlock&, const SumVector&) const;

  const GemmTiles& t_;
  const GemmShape& s_;
  FunctionBuilder& f_;
  const bool blocked_;
  const std::vector<Run>& ahead_;
};

}  // namespace rondo::codegen
