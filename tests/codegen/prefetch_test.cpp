// What products ask for ahead, as addresses.
#include "codegen/llvm/prefetch.h"

#include <gtest/gtest.h>
#include <llvm/IR/IntrinsicInst.h>

#include <algorithm>
#include <set>

#include "tests/codegen/loop_programs.h"

namespace rondo::codegen {
namespace {

using namespace ir;

constexpr int64_t kRows = 64, kTerms = 64;

/// left[kRows, kTerms] right[kTerms, columns], and a run of so many floats as its last input.
LoopProgram product(int64_t columns, int64_t run) {
  test::Loops l;
  Kernel k;
  k.dims = {kRows, columns};
  Accumulator a;
  a.dims = {kTerms};
  test::Expr t(a.nodes);
  const NodeId x = t.load(DType::f32, l.input(DType::f32, kRows * kTerms), {kTerms, 0, 1});
  const NodeId y = t.load(DType::f32, l.input(DType::f32, kTerms * columns), {0, 1, columns});
  a.value = t.apply(ScalarOp::mul, DType::f32, {x, y});
  k.accs.push_back(a);
  test::Expr(k.nodes).acc(DType::f32, 0);
  k.schedule.form = Schedule::Form::gemm;
  l.input(DType::f32, run);
  k.stores = {test::store(l.output(DType::f32, kRows * columns), 0, {columns, 1})};
  l.add(k);
  return l.program;
}

/// The bytes from the run's start of all lines that all parts of all tiles of so many rows ask for.
std::set<int64_t> asked(const LoopProgram& program, int64_t run, int64_t height, const Target& target) {
  llvm::LLVMContext context;
  llvm::Module module("m", context);
  FunctionBuilder f(module, program, target, "f", {});
  const GemmTiles t(f, *program.stmts[0].kernel);
  Run r;
  r.first.buffer = 2, r.elements = run;
  const std::vector<Run> runs = {r};
  for (int64_t row = 0; row < kRows; row += height)
    for (int64_t column = 0; column < t.s.columns().constant(); column += t.s.cut.width) {
      const ColumnBlock block{f.i64(column), t.s.cut.width, false};
      const TilePlace place = t.place({}, f.i64(row), block, {f.i64(0), f.i64(kRows)}, nullptr);
      const int64_t rows = std::min(height, kRows - row);
      const Ahead ask = runs_ahead(t, place, t.s.groups[0], f.i64(row), rows, runs);
      for (int64_t term = 0; term < kTerms; term += terms_of_line(DType::f32)) ask(f.i64(term));
    }
  std::set<int64_t> lines;
  const llvm::Function* function = f.finish();
  for (const llvm::BasicBlock& b : *function)
    for (const llvm::Instruction& i : b) {
      const auto* call = llvm::dyn_cast<llvm::IntrinsicInst>(&i);
      if (!call || call->getIntrinsicID() != llvm::Intrinsic::prefetch) continue;
      llvm::APInt offset(64, 0);
      call->getArgOperand(0)->stripAndAccumulateConstantOffsets(module.getDataLayout(), offset, true);
      lines.insert(offset.getSExtValue());
    }
  return lines;
}

/// Each line of the run, and no other: of rows of whole lines, of parts of one, and of more than one.
TEST(RunsAhead, AllPartsAskForTheWholeRun) {
  for (const Target& target : test::targets())
    for (const int64_t columns : {64, 256})
      for (const int64_t of_row : {4, 16, 24, 64})
        for (const int64_t height : {3, 5, 6}) {
          const int64_t run = kRows * of_row;
          std::set<int64_t> reached;  // a row's share need not start with a line
          for (int64_t at : asked(product(columns, run), run, height, target))
            for (int64_t byte : {at, at + kCacheLine - 1}) reached.insert(byte / kCacheLine);
          ASSERT_FALSE(reached.empty());
          for (int64_t line = 0; line < run * 4 / kCacheLine; ++line)
            EXPECT_TRUE(reached.contains(line))
                << target.cpu << " " << columns << " " << of_row << " " << line;
          EXPECT_LE(*reached.rbegin(), run * 4 / kCacheLine);
          EXPECT_EQ(*reached.begin(), 0);
        }
}

}  // namespace
}  // namespace rondo::codegen
