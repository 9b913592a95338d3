// Operands of the gemm form: where they are, and their packed copies.
#pragma once

#include "codegen/kernels/schedule_gemm.h"
#include "codegen/llvm/values.h"

namespace rondo::codegen {

/// What the gemm and the pack statements of one kernel share.
struct GemmShape {
  GemmShape(FunctionBuilder& f, const ir::Kernel& original);

  ir::Kernel kernel;
  std::vector<GemmGroup> groups;
  GemmTile tile;
  GemmColumns cut;
  GemmBlocks blocks;
  GemmWorkspace workspace;
  unsigned lanes;
  llvm::Type* element;
  llvm::Type* vector;
  llvm::Align align;

  DType dtype() const { return kernel.accs[0].dtype; }
  int column() const { return static_cast<int>(kernel.dims.size()) - 1; }
  const ir::Poly& columns() const { return kernel.dims.back(); }
  const std::vector<ir::Poly>& k_dims(const GemmGroup& g) const { return kernel.accs[g.accs[0]].dims; }
  /// The partial sums of each sum.
  int64_t chains(const GemmGroup& g) const { return ir::partial_sums(kernel.accs[g.accs[0]].order); }
};

/// A block of columns (GemmColumns), as wide as a tile.
struct ColumnBlock {
  llvm::Value* first;
  int64_t width;
  bool last;  // and so, of a constant number of columns, perhaps less than full
};
using VisitBlock = std::function<void(const ColumnBlock&)>;
void for_column_blocks(FunctionBuilder&, const GemmShape&, const VisitBlock& visit);

/// Columns of a block in one vector.
struct ColumnVector {
  int64_t first;  // counted from the block's
  unsigned lanes;
};
/// The vectors that cover a block.
std::vector<ColumnVector> column_vectors(const GemmShape&, const ColumnBlock&);
/// The lanes of a vector that are columns of the kernel; null: all.
llvm::Value* mask_of(FunctionBuilder&, const GemmShape&, const ColumnBlock&, const ColumnVector&);

/// The value of the last node.
llvm::Value* last_value(FunctionBuilder&, const ir::Nodes&, const Scope&);
/// One vector of a right operand, at the other variables given.
llvm::Value* load_right(FunctionBuilder&, const GemmShape&, uint32_t acc, Values at, const ColumnBlock&,
                        const ColumnVector&);

/// Blocks of columns, at every other step of the loop around, or call, in falling order: what a step reads
/// last is still in a near cache when the next one starts with it, though all of it does not fit.
void to_and_fro(FunctionBuilder&, const GemmShape&, const VisitBlock& visit);

struct Interval {
  llvm::Value *begin, *end;
};

/// The variables with those of a group's k at one term, which is counted over all of them.
Values with_term(FunctionBuilder&, const GemmShape&, const GemmGroup&, Values at, llvm::Value* term);

/// Where a term is among the packed terms of a block of columns; `evens`: packed_evens.
llvm::Value* packed_term(FunctionBuilder&, int64_t evens, llvm::Value* term);

/// Copies the right operands of a group to their packed form.
class RightPacker {
 public:
  /// `origin`: the first column that has a place in `packed`. `panel`: the terms of k that each block of
  /// columns has room for. `evens`: packed_evens. `share`: of the columns, the thread's; null: all.
  RightPacker(FunctionBuilder& f, const GemmShape& s, const GemmGroup& g, llvm::Value* packed,
              llvm::Value* origin, llvm::Value* panel, int64_t evens = 0, const Share* share = nullptr)
      : f_(f),
        s_(s),
        g_(g),
        packed_(packed),
        origin_(origin),
        panel_(panel),
        evens_(evens),
        share_(share),
        accs_(static_cast<int64_t>(g.accs.size())) {}

  /// Terms [k0, k1) of the innermost k, to terms first.. of the panel; `at` holds the variables around it.
  void run(const Values& at, llvm::Value* k0, llvm::Value* k1, llvm::Value* first) const;
  /// A block of terms (has_blocks_of_terms) of one block of columns; `at` holds the variables of the rows.
  void run_panel(const ColumnBlock&, const Values& at, Interval terms) const;
  /// The one term of a product without reduced dims.
  void run_single(const Values& at) const;

 private:
  void run_block(const ColumnBlock&, const Values& at, llvm::Value* k0, llvm::Value* k1,
                 llvm::Value* first) const;
  void for_blocks(const VisitBlock& visit) const;
  /// Whether elements follow each other along k, as in a transposed matrix.
  bool runs_along_k() const;
  /// Where a column of accumulator a of a term of a block is; the column counts from the block's first.
  llvm::Value* place(const ColumnBlock&, llvm::Value* term, int64_t a, llvm::Value* column) const;
  void copy(const ColumnBlock&, const Values& at, llvm::Value* term) const;
  /// Asks for what copy reads.
  void prefetch(const ColumnBlock&, const Values& at) const;
  /// All columns of lanes terms, read along k, as squares; `at` holds the first k.
  void copy_squares(const ColumnBlock&, const Values& at, llvm::Value* term) const;
  /// One vector of columns of them, of which so many exist.
  void copy_square(const ColumnBlock&, llvm::Value* first, unsigned lanes, int64_t columns, const Values& at,
                   llvm::Value* term) const;

  FunctionBuilder& f_;
  const GemmShape& s_;
  const GemmGroup& g_;
  llvm::Value* packed_;
  llvm::Value* origin_;
  llvm::Value* panel_;
  int64_t evens_;
  const Share* share_;
  int64_t accs_;
};

/// The left operand as an expression of its own.
ir::Nodes left_nodes(const GemmShape&, const GemmGroup&);
/// Copies rows and terms of a left operand to [tile of rows][term][row in the tile].
void pack_left(FunctionBuilder&, const GemmShape&, const GemmGroup&, const Values& at, llvm::Value* packed,
               Interval rows, Interval k);

}  // namespace rondo::codegen
