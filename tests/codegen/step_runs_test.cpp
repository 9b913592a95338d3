// What follows a product in a step, as runs of memory.
#include <gtest/gtest.h>

#include "codegen/loops/step_runs.h"
#include "tests/codegen/loop_programs.h"

namespace rondo {
namespace {

using namespace ir;
using codegen::Run;
using codegen::runs_after;
using codegen::StepRuns;

constexpr LoopId kTime = 7;
constexpr int64_t kRows = 64, kColumns = 256;

Access with_time(Access a, const Poly& step) {
  a.outer = {{kTime, step}};
  return a;
}

/// Over some columns of all rows of a sequence, from a column on: y[t + later, r, c] = x[t, r, from + c].
Kernel copy(BufferId x, BufferId y, const Poly& rows, int64_t from, int64_t columns, int64_t later = 0) {
  Kernel k;
  k.dims = {rows, columns};
  test::Expr(k.nodes).load(DType::f32, x, {kColumns, 1}, from);
  k.nodes[0].access = with_time(k.nodes[0].access, rows * Poly(kColumns));
  k.stores = {test::store(y, 0, {columns, 1}, rows * Poly(columns * later))};
  k.stores[0].access = with_time(k.stores[0].access, rows * Poly(columns));
  return k;
}

Kernel product() {
  Kernel k;
  k.schedule.form = Schedule::Form::gemm;
  return k;
}

Loop step(const std::vector<Kernel>& kernels, bool reverse = false) {
  Loop loop;
  loop.id = kTime, loop.trip = Dim("T"), loop.reverse = reverse;
  for (const Kernel& k : kernels) loop.body.push_back({std::make_shared<Kernel>(k), nullptr, nullptr});
  return loop;
}

void expect_run(const Run& run, BufferId buffer, const Poly& first, const Poly& elements) {
  EXPECT_EQ(run.first.buffer, buffer);
  EXPECT_EQ(run.first.offset, first) << to_string(run.first.offset);
  EXPECT_EQ(run.elements, elements) << to_string(run.elements);
}

TEST(StepRuns, OfTheKernelsBeforeTheNextProduct) {
  const StepRuns found = runs_after(
      step({copy(8, 9, kRows, 0, kColumns), product(), copy(0, 1, kRows, 0, kColumns), product()}), 1, 1);
  ASSERT_EQ(found.runs.size(), 2);
  expect_run(found.runs[0], 0, 0, kRows * kColumns);
  expect_run(found.runs[1], 1, 0, kRows * kColumns);
}

/// The last product of a step comes before the first kernels of the next one.
TEST(StepRuns, OfTheNextStep) {
  for (const bool reverse : {false, true}) {
    const StepRuns found = runs_after(step({copy(0, 1, kRows, 0, kColumns), product()}, reverse), 1, 1);
    ASSERT_EQ(found.runs.size(), 2);
    const int64_t next = (reverse ? -1 : 1) * kRows * kColumns;
    expect_run(found.runs[0], 0, next, kRows * kColumns);
    expect_run(found.runs[1], 1, next, kRows * kColumns);
  }
}

TEST(StepRuns, JoinColumnsOfTheSameRows) {
  for (const Poly& rows : {Poly(kRows), Poly(Dim("B"))}) {
    const StepRuns found = runs_after(
        step({product(), copy(0, 1, rows, 128, 128), copy(0, 2, rows, 64, 64), copy(0, 3, rows, 0, 64)}), 0,
        1);
    ASSERT_EQ(found.runs.size(), 4);
    expect_run(found.runs[0], 0, 0, rows * Poly(kColumns));
  }
}

/// A state is written a step after the one that is read: with known sizes that is one run.
TEST(StepRuns, JoinNeighbouringSteps) {
  const int64_t state = kRows * kColumns;
  const StepRuns found = runs_after(step({product(), copy(0, 0, kRows, 0, kColumns, 1)}), 0, 1);
  ASSERT_EQ(found.runs.size(), 1);
  expect_run(found.runs[0], 0, 0, 2 * state);
  const StepRuns apart = runs_after(step({product(), copy(0, 0, kRows, 0, kColumns, 3)}), 0, 1);
  ASSERT_EQ(apart.runs.size(), 2);
  expect_run(apart.runs[1], 0, 3 * state, state);
}

TEST(StepRuns, NoneOfWhatIsSmallOrNoSequence) {
  EXPECT_TRUE(runs_after(step({product(), copy(0, 1, 4, 0, kColumns)}), 0, 1).runs.empty());
  Kernel k = copy(0, 1, kRows, 0, kColumns);
  k.nodes[0].access.outer.clear();
  const StepRuns found = runs_after(step({product(), k}), 0, 1);
  ASSERT_EQ(found.runs.size(), 1);
  EXPECT_EQ(found.runs[0].first.buffer, 1);
}

TEST(StepRuns, OfAThreadsShare) {
  Kernel k = copy(0, 1, kRows, 0, kColumns);
  k.schedule.split.dim = 0;
  const StepRuns found = runs_after(step({product(), k}), 0, 2);
  ASSERT_EQ(found.shares.size(), 1);
  ASSERT_EQ(found.runs.size(), 2);
  expect_run(found.runs[0], 0, Poly(Dim(found.shares[0].first)) * Poly(kColumns), kRows / 2 * kColumns);
}

}  // namespace
}  // namespace rondo
