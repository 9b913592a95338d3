#include "passes/pipeline.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ir/text.h"
#include "passes/check_pass.h"
#include "passes/passes.h"
#include "support/error.h"
#include "tests/passes/structure.h"
#include "tests/runtime/count_allocations.h"
#include "tests/support/cells.h"
#include "tests/support/environment.h"

namespace rondo {
namespace {

using ir::Func;
using ir::parse;
using passes::run_pipeline;
using test::Environment;

void expect_error(const std::string& pipeline, const std::string& message) {
  try {
    run_pipeline(parse(test::kLstm), pipeline);
    ADD_FAILURE() << pipeline << ": no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.what(), message);
  }
}

TEST(Pipeline, Errors) {
  expect_error(
      "simplify,fuse",
      "rondo: unknown pass `fuse`; there are: mask-lengths, simplify, center-products, fuse-multiply-adds, "
      "grad, vjp, merge-matmuls, hoist-scan, "
      "sink-scan-outputs, "
      "sink-scan-sums, split-scan, linear-scan, recompute, unroll-scan, gather-matmul, tile-outputs, "
      "tile-sequences, tile-time, tile-rows, used-rows, bind-dims");
  expect_error("simplify,",
               "rondo: unknown pass ``; there are: mask-lengths, simplify, center-products, "
               "fuse-multiply-adds, grad, vjp, merge-matmuls, "
               "hoist-scan, sink-scan-outputs, "
               "sink-scan-sums, split-scan, linear-scan, recompute, unroll-scan, gather-matmul, "
               "tile-outputs, tile-sequences, tile-time, tile-rows, used-rows, bind-dims");
  expect_error("simplify{hard=1}", "rondo: pass simplify has no option `hard=1`; it takes none");
  expect_error("unroll-scan{times=2}",
               "rondo: pass unroll-scan has no option `times=2`; it takes {factor=n}");
  expect_error("unroll-scan{factor=two}", "rondo: pass unroll-scan: factor=two is not a number from 0");
  expect_error("unroll-scan{factor=2",
               "rondo: pipeline: `unroll-scan{factor=2` has no closing brace at its end");
  expect_error("grad{wrt=q}", "rondo: grad: lstm has no param `q`");
  expect_error("bind-dims{Q=2}", "rondo: bind-dims: lstm has no dim `Q`, only: I, B, T");
}

TEST(Pipeline, OptionsReachTheirPass) {
  const Func f =
      run_pipeline(parse(test::kLstm), " grad{wrt=wh|b} , bind-dims{T=4;B=2;I=3}, unroll-scan{factor=2} ");
  ASSERT_EQ(f.results.size(), 3u);
  EXPECT_EQ(f.type(f.results[1]), (ir::Type{DType::f64, {2, 8}}));
  EXPECT_TRUE(ir::named_dims(f).empty());
  EXPECT_EQ(ir::trip_count(f, *test::scans_of(f).at(0)), ir::Dim(2));
}

TEST(Pipeline, EmptyIsTheSameFunction) {
  EXPECT_EQ(ir::print(run_pipeline(parse(test::kLstm), "")), ir::print(parse(test::kLstm)));
}

TEST(Pipeline, DumpsEachStage) {
  const std::filesystem::path dir = std::filesystem::path(::testing::TempDir()) / "rondo_dump";
  std::filesystem::remove_all(dir);
  const Func f = run_pipeline(parse(test::kLstm), "simplify,hoist-scan", {dir.string()});
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "lstm"))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"00-input.rondo", "01-simplify.rondo", "02-hoist-scan.rondo"}));
  std::ifstream file(dir / "lstm/02-hoist-scan.rondo");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(ir::print(parse(text.str())), ir::print(f));
  std::filesystem::remove_all(dir);
}

TEST(Pipeline, DumpsWhereTheEnvironmentSaysAndNeverElsewhere) {
  const std::filesystem::path dir = std::filesystem::path(::testing::TempDir()) / "rondo_dump_variable";
  std::filesystem::remove_all(dir);
  const Environment variable("RONDO_DUMP", dir.string());
  Func f = parse(test::kLstm);
  f.name = "../a/b";
  run_pipeline(f, "");
  EXPECT_TRUE(std::filesystem::exists(dir / "_.._a_b/00-input.rondo"));
  std::filesystem::remove_all(dir);
  std::ofstream(dir.string()) << "a file";
  try {
    run_pipeline(f, "");
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.what(), fmt::format("rondo: cannot write {}/_.._a_b/00-input.rondo", dir.string()));
  }
  std::filesystem::remove_all(dir);
}

TEST(Pipeline, SkipsWhatTheEnvironmentSays) {
  const Environment skip("RONDO_SKIP", "hoist-scan,grad");
  const Func f = run_pipeline(parse(test::kLstm), "simplify,hoist-scan,grad");
  EXPECT_EQ(f.results.size(), 1u);
  EXPECT_EQ(test::count(f, ir::OpKind::matmul), 0);
}

TEST(Pipeline, ChecksEachPassOnDemand) {
  const Environment on("RONDO_CHECK", "1");
  run_pipeline(parse(test::kLstm), passes::kTraining);
  run_pipeline(parse(test::kGru), "vjp,simplify,bind-dims{T=3},unroll-scan,simplify");
}

TEST(Pipeline, CheckFindsAPassThatChangesAValue) {
  const Func f = parse("func @f(%x: f64[B]) -> (f64[B]) {\n  %y = exp %x : f64[B]\n  return %y\n}\n");
  const Func g = parse("func @f(%x: f64[B]) -> (f64[B]) {\n  %y = tanh %x : f64[B]\n  return %y\n}\n");
  try {
    passes::check_pass("broken", f, g);
    ADD_FAILURE() << "no error";
  } catch (const InternalError& e) {
    EXPECT_NE(std::string(e.what()).find("broken changes what f computes: results differ by "),
              std::string::npos)
        << e.what();
  }
}

/// Allocations that a pipeline makes on a GRU unrolled over that many steps.
int64_t allocations(int64_t steps, const char* pipeline, size_t* ops) {
  const Func f = passes::bind_dims(parse(test::kGru), {{"T", steps}});
  const Func unrolled = passes::unroll_scan(f);
  *ops = unrolled.ops.size();
  const int64_t before = testing::allocation_count();
  passes::run_pipeline(unrolled, pipeline);
  return testing::allocation_count() - before;
}

// Work is counted in allocations, which every emitted op and every visited operand list causes: four times
// the ops, about four times the work.
TEST(Pipeline, WorkGrowsWithTheLengthOfTheProgram) {
  size_t small_ops = 0, large_ops = 0;
  for (const char* pipeline :
       {"simplify", "grad", "merge-matmuls", "hoist-scan,sink-scan-outputs,sink-scan-sums", "gather-matmul",
        passes::kTraining.data()}) {
    const int64_t small = allocations(60, pipeline, &small_ops),
                  large = allocations(240, pipeline, &large_ops);
    EXPECT_GE(large_ops, 4000u);
    EXPECT_LT(static_cast<double>(large) / static_cast<double>(small),
              1.2 * static_cast<double>(large_ops) / small_ops)
        << pipeline;
  }
}

}  // namespace
}  // namespace rondo
