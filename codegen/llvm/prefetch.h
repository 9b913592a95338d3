// Memory that a tile of a product will need after its sums, and that the tiles after it will.
#pragma once

#include "codegen/llvm/emit.h"
#include "codegen/llvm/gemm_tile.h"

namespace rondo::codegen {

/// Asks for what the kernel's own nodes read of a tile's rows and columns, and for what its stores write
/// there: with a tile's first step, so that the last one need not wait.
void prefetch_tile(const GemmTiles&, const TilePlace&);

/// Terms of an operand of such elements that share a cache line.
int64_t terms_of_line(DType);

/// What a tile asks for before each line of its terms, of which `term` is the first, counted from that of its
/// block; empty: nothing.
using Ahead = std::function<void(llvm::Value* term)>;
/// The left operands that the following tile of rows reads at these terms, where they will still be near.
Ahead left_ahead(const GemmTiles&, const TilePlace&, const GemmGroup&, llvm::Value* first_term);
/// A part of what the panel of right operands that follows is packed from. All tiles of a panel, together,
/// ask for all of it: its rows are further apart than a machine foresees, and too many to wait for at once.
Ahead panel_ahead(const GemmTiles&, const TilePlace&, const GemmGroup&, Interval terms);

/// The same of a large matrix that was packed before: a part of the block of columns that follows.
Ahead packed_ahead(const GemmTiles&, const TilePlace&, uint32_t group);

/// A part of the share that so many of the product's rows, from `row` on, have of the runs: all columns and
/// terms of these rows together ask for all of it, so that it is in the second cache when it is needed.
Ahead runs_ahead(const GemmTiles&, const TilePlace&, const GemmGroup&, llvm::Value* row, int64_t rows,
                 const std::vector<Run>&);

/// Asks for so many lines of the product's matrix, of those that it will be the first to find in no near
/// cache. For none where it reads several matrices.
void prefetch_row(FunctionBuilder&, const NextProduct&, int64_t lines);

}  // namespace rondo::codegen
