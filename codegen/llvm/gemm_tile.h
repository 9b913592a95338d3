// Register tiles of the gemm form: where their sums stand, and what becomes of sums that are complete.
#pragma once

#include "codegen/llvm/pack.h"

namespace rondo::codegen {

/// Where a tile's operands and sums are.
struct TilePlace {
  Values at;         // variables of the outer rows
  llvm::Value* row;  // the first one
  ColumnBlock block;
  Interval rows;          // those that pass the block's right operands together
  llvm::Value* sums;      // [row][accumulator][column]
  llvm::Value* next_row;  // elements from one row of sums to the next
  Values outputs = {};    // or where the sums of each accumulator stand in the kernel's outputs
  int64_t height = 0;     // 0: GemmTile::rows, or what is left of them at the end
};

/// What all tiles of a kernel share.
class GemmTiles {
 public:
  GemmTiles(FunctionBuilder&, const ir::Kernel& original);

  FunctionBuilder& f;
  const GemmShape s;
  const size_t accs;
  const ir::Poly rows;
  const bool in_outputs;       // whether sums stand there from the start
  const bool ends_in_outputs;  // whether those of a block of columns go there with their last terms

  /// The tiles of some rows, by their first one and their height (TilePlace). Where the number of rows is
  /// known at run time only, none is left to a tile of few sums `at_any_number`: for one more tile's code.
  void for_each(Interval rows, bool at_any_number,
                const std::function<void(llvm::Value* row, int64_t height)>& visit) const;
  /// The kernel's variables with those of the tile still open.
  Values variables(const Values& outer) const;
  uint64_t sums_of_tile() const {
    return static_cast<uint64_t>(s.tile.rows) * accs * static_cast<uint64_t>(s.cut.widest());
  }
  /// A tile whose sums stand together.
  TilePlace place(const Values& at, llvm::Value* row, const ColumnBlock&, Interval rows,
                  llvm::Value* sums) const;
  /// A tile whose sums stand in the outputs.
  TilePlace place_in_outputs(const Values& at, llvm::Value* row, const ColumnBlock&, Interval rows) const;
  /// The same tile, or, if `ends`, with its sums in the outputs.
  TilePlace place_at_end(const TilePlace&, llvm::Value* ends) const;
  /// The tile of rows after this one; after the last one, the first.
  TilePlace following(TilePlace) const;

  /// The accumulators of a group stand side by side, from this place on.
  size_t first_order(uint32_t group) const;
  uint32_t acc_of(size_t order) const { return order_[order]; }
  /// Where the sums of a row and accumulator stand in a tile whose block has `width` columns.
  llvm::Value* sum_at(FunctionBuilder&, const TilePlace&, llvm::Value* row, llvm::Value* width, size_t order,
                      llvm::Value* column) const;

 private:
  /// The first row of the tiles that have a row less.
  llvm::Value* first_lower(Interval rows) const;

  std::vector<uint32_t> order_;  // accumulators in the order of the groups
};

/// Computes the kernel's own nodes and stores of tiles whose sums are complete.
class TileFinisher {
 public:
  explicit TileFinisher(const GemmTiles& tiles) : t_(tiles) {}

  void run(const TilePlace&);

 private:
  /// What the function that finishes rows takes.
  struct Finish {
    TilePlace place;
    llvm::Value* width;  // of the block, which is not known while the function is emitted
    llvm::Value* last;
    llvm::Value* rows;

    template <class Visit>
    void visit(const Visit& visit) {
      for (llvm::Value*& v : place.at) visit(v);
      for (llvm::Value** v : {&place.row, &place.block.first, &place.sums, &place.next_row}) visit(*v);
      for (llvm::Value** v : {&width, &last, &rows}) visit(*v);
    }
    Values values();
  };

  void finish_rows(FunctionBuilder&, const Finish&);
  void finish_vector(FunctionBuilder&, const Finish&, llvm::Value* row, llvm::Value* column, unsigned lanes,
                     llvm::Value* mask);

  const GemmTiles& t_;
  llvm::Function* function_ = nullptr;
};

}  // namespace rondo::codegen
