// Operands of the gemm form: where they are, and their packed copies.
#pragma once

#include "codegen/llvm_values.h"
#include "codegen/schedule_gemm.h"

namespace rondo::codegen {

/// What the gemm and the pack statements of one kernel share.
struct GemmShape {
  GemmShape(FunctionBuilder& f, const ir::Kernel& original);

  ir::Kernel kernel;
  std::vector<GemmGroup> groups;
  GemmTile tile;
  GemmBlocks blocks;
  GemmWorkspace workspace;
  unsigned lanes;
  llvm::Type* element;
  llvm::Type* vector;
  llvm::Align align;

  DType dtype() const { return kernel.accs[0].dtype; }
  int column() const { return static_cast<int>(kernel.dims.size()) - 1; }
  const ir::Poly& columns() const { return kernel.dims.back(); }
  int64_t block_columns() const { return static_cast<int64_t>(tile.vectors) * lanes; }
  /// Whether the last block of columns is less than full.
  bool ragged() const { return !columns().is_constant() || columns().constant() % block_columns() != 0; }
  const std::vector<ir::Poly>& k_dims(const GemmGroup& g) const { return kernel.accs[g.accs[0]].dims; }
};

/// The value of the last node.
llvm::Value* last_value(FunctionBuilder&, const ir::Nodes&, const Scope&);
/// One vector of a right operand: columns `first`.. at the other variables given.
llvm::Value* load_right(FunctionBuilder&, const GemmShape&, uint32_t acc, Values at, llvm::Value* first);

/// Blocks of columns up to `end`, at every other step of the loop around in falling order: what a step reads
/// last is still in a near cache when the next step starts with it, though all of it does not fit.
void to_and_fro(FunctionBuilder&, llvm::Value* end, int64_t step,
                const std::function<void(llvm::Value* n)>& visit);

/// Copies the right operands of a group to their packed form.
class RightPacker {
 public:
  /// `origin`: the first column that has a place in `packed`. `panel`: the terms of k that each block of
  /// columns has room for. `share`: of the columns, the thread's; null: all.
  RightPacker(FunctionBuilder& f, const GemmShape& s, const GemmGroup& g, llvm::Value* packed,
              llvm::Value* origin, llvm::Value* panel, const Share* share = nullptr)
      : f_(f),
        s_(s),
        g_(g),
        packed_(packed),
        origin_(origin),
        panel_(panel),
        share_(share),
        accs_(static_cast<int64_t>(g.accs.size())) {}

  /// Terms [k0, k1) of the innermost k, to terms first.. of the panel; `at` holds the variables around it.
  void run(const Values& at, llvm::Value* k0, llvm::Value* k1, llvm::Value* first) const;
  /// The same of the block of columns at n alone.
  void run_block(llvm::Value* n, const Values& at, llvm::Value* k0, llvm::Value* k1,
                 llvm::Value* first) const;
  /// The one term of a product without reduced dims.
  void run_single(const Values& at) const;

 private:
  void for_columns(const std::function<void(llvm::Value*)>& visit) const;
  /// Whether elements follow each other along k, as in a transposed matrix.
  bool runs_along_k() const;
  /// Where a column of accumulator a of a term of column block n is; the column counts from the block's
  /// first.
  llvm::Value* place(llvm::Value* n, llvm::Value* term, int64_t a, llvm::Value* column) const;
  void copy(llvm::Value* n, const Values& at, llvm::Value* term) const;
  /// Asks for what copy reads.
  void prefetch(llvm::Value* n, const Values& at) const;
  /// All columns of lanes terms, read along k, as squares.
  void copy_square(llvm::Value* n, const Values& outer, llvm::Value* k, llvm::Value* term) const;

  FunctionBuilder& f_;
  const GemmShape& s_;
  const GemmGroup& g_;
  llvm::Value* packed_;
  llvm::Value* origin_;
  llvm::Value* panel_;
  const Share* share_;
  int64_t accs_;
};

struct Interval {
  llvm::Value *begin, *end;
};

/// The left operand as an expression of its own.
ir::Nodes left_nodes(const GemmShape&, const GemmGroup&);
/// Copies rows and terms of a left operand to [tile of rows][term][row in the tile].
void pack_left(FunctionBuilder&, const GemmShape&, const GemmGroup&, const Values& at, llvm::Value* packed,
               Interval rows, Interval k);

}  // namespace rondo::codegen
