// Lowering, fusion and memory planning: the loop interpreter against the evaluator, and what the loop program
// looks like.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "codegen/compile.h"
#include "codegen/kernels/fold_kernel.h"
#include "codegen/loops/interpreter.h"
#include "codegen/loops/plan_memory.h"
#include "codegen/target.h"
#include "ir/evaluator.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "support/error.h"
#include "tests/support/arrays.h"
#include "tests/support/cells.h"

namespace rondo {
namespace {

using namespace ir;

void expect_same_as_evaluated(const Func& func, const DimValues& dims, uint64_t seed = 1) {
  std::vector<Array> inputs = test::random_inputs(func, dims, seed);
  std::vector<Array> want = evaluate(func, inputs, dims);
  std::vector<Array> got = codegen::interpret(codegen::lower(func), inputs, test::shapes_of(want), dims);
  EXPECT_LE(test::difference(got, want), 1e-13) << to_string(codegen::lower(func));
}

/// All kernels of the statements, loops included.
std::vector<std::shared_ptr<Kernel>> kernels(const std::vector<Stmt>& stmts) {
  std::vector<std::shared_ptr<Kernel>> all;
  for (const Stmt& s : stmts) {
    if (s.kernel) all.push_back(s.kernel);
    if (s.loop)
      for (const auto& k : kernels(s.loop->body)) all.push_back(k);
  }
  return all;
}

std::vector<std::shared_ptr<Kernel>> kernels_in_loops(const LoopProgram& p) {
  std::vector<std::shared_ptr<Kernel>> all;
  for (const Stmt& s : p.stmts)
    if (s.loop)
      for (const auto& k : kernels(s.loop->body)) all.push_back(k);
  return all;
}

TEST(Lower, LstmStepIsOneKernelWithAnAccumulatorForEachGate) {
  LoopProgram p = codegen::lower(parse(test::kLstm));
  auto inner = kernels_in_loops(p);
  ASSERT_EQ(inner.size(), 1u) << to_string(p);
  EXPECT_EQ(inner[0]->accs.size(), 8u);    // four of x, four of h
  EXPECT_EQ(inner[0]->stores.size(), 2u);  // h and c; the y is a window of h's rows
}

/// Of weights, as that of k; sums over rows, whose number may be known at the call only, are chains.
TEST(Lower, SumsOfFewTermsAreInParts) {
  for (const auto& [k, order] : {std::pair("3", SumOrder::chain),
                                 {"4", SumOrder::halves},
                                 {"8", SumOrder::halves},
                                 {"9", SumOrder::quarters},
                                 {"16", SumOrder::quarters},
                                 {"17", SumOrder::halves},
                                 {"64", SumOrder::halves},
                                 {"65", SumOrder::chain},
                                 {"K", SumOrder::chain}})
    for (const bool transposed : {false, true}) {
      const std::string w = transposed ? fmt::format("[5,{}]", k) : fmt::format("[{},5]", k);
      const LoopProgram p =
          codegen::lower(parse(fmt::format("func @f(%x: f32[B,{}], %w: f32{}) -> (f32[B,5]) {{\n  %y = "
                                           "matmul %x, %w{} : f32[B,5]\n  return %y\n}}\n",
                                           k, w, transposed ? " {tb}" : "")));
      EXPECT_EQ(p.stmts.at(0).kernel->accs.at(0).order, order) << k << to_string(p);
    }
  const LoopProgram rows =
      codegen::lower(parse("func @f(%x: f32[16,4], %y: f32[16,5]) -> (f32[4,5]) {\n  %z = matmul %x, %y {ta} "
                           ": f32[4,5]\n  return %z\n}\n"));
  EXPECT_EQ(rows.stmts.at(0).kernel->accs.at(0).order, SumOrder::chain);
}

/// The gradients of four matrices are as large a product as that of one beside which they could stand.
TEST(Lower, ProductsOfSeveralMatricesAreAsLargeAsOfOne) {
  const auto in_blocks = [](int64_t units, bool apart) {
    const std::string one = fmt::format("f32[{},{}]", units, 4 * units),
                      part = fmt::format("f32[{0},{0}]", units);
    std::string text = fmt::format("func @f(%x: f32[T,{}], %z: f32[T,{}]) -> (", units, 4 * units);
    text += apart ? fmt::format("{0}, {0}, {0}, {0}) {{\n", part) : one + ") {\n";
    text += fmt::format("  %d = matmul %x, %z {{ta}} : {}\n", one);
    for (int64_t gate = 0; apart && gate < 4; ++gate)
      text += fmt::format("  %d{} = slice %d {{axis=1, lo={}, hi={}}} : {}\n", gate, gate * units,
                          (gate + 1) * units, part);
    text += apart ? "  return %d0, %d1, %d2, %d3\n}\n" : "  return %d\n}\n";
    const LoopProgram p = codegen::lower(parse(text));
    EXPECT_EQ(p.stmts.size(), 1u) << to_string(p);
    EXPECT_EQ(p.stmts.at(0).kernel->accs.size(), apart ? 4u : 1u) << to_string(p);
    return p.stmts.at(0).kernel->schedule.block;
  };
  for (const bool apart : {false, true}) {
    EXPECT_TRUE(in_blocks(64, apart));
    EXPECT_FALSE(in_blocks(32, apart));
  }
}

TEST(Lower, LstmForAllLengths) {
  Func func = parse(test::kLstm);
  for (int64_t T : {0, 1, 2, 7})
    for (int64_t B : {1, 3}) expect_same_as_evaluated(func, {{"T", T}, {"B", B}, {"I", 3}});
}

/// Deviations from a mean are in no buffer: what reads them reads the elements and the mean.
TEST(Lower, WhatIsLittleMoreThanABufferIsMadeAgain) {
  for (const char* adjusted : {"sub %x, %m", "fma %x, %gs, %m", "fma %gs, %m, %x"}) {
    const Func func = parse(fmt::format(R"(
func @normalised(%x: f32[B,8], %g: f32[8]) -> (f32[B,8]) {{
  %s = reduce_sum %x {{axes=[1]}} : f32[B]
  %m = broadcast %s {{axes=[0]}} : f32[B,8]
  %gs = broadcast %g {{axes=[1]}} : f32[B,8]
  %c = {} : f32[B,8]
  %cc = mul %c, %c : f32[B,8]
  %v = reduce_sum %cc {{axes=[1]}} : f32[B]
  %r = rsqrt %v : f32[B]
  %rs = broadcast %r {{axes=[0]}} : f32[B,8]
  %y = mul %c, %rs : f32[B,8]
  %z = mul %y, %gs : f32[B,8]
  return %z
}}
)",
                                        adjusted));
    expect_same_as_evaluated(func, {{"B", 5}});
    size_t stores = 0;
    const LoopProgram p = codegen::lower(func);
    for (const auto& k : kernels(p.stmts)) stores += k->stores.size();
    EXPECT_EQ(stores, 3u) << to_string(p);  // the sum, the scale and the result
  }
}

/// Where a factor of x y + z is zero, z is left.
TEST(Lower, FoldingAZeroFactorLeavesTheAddend) {
  const LoopProgram p = codegen::lower(
      parse("func @f(%x: f32[9], %y: f32[9], %z: f32[9]) -> (f32[9]) {\n  %r = fma %x, %y, %z : f32[9]\n  "
            "return %r\n}\n"));
  const Kernel& kernel = *p.stmts.at(0).kernel;
  const NodeId fma = kernel.stores.at(0).value;
  ASSERT_EQ(kernel.nodes[fma].op, ScalarOp::fma);
  const auto folded = [&](size_t zero, bool absorb) {
    codegen::FoldOptions options;
    options.known = [&](const Nodes&, NodeId id, uint32_t) {
      return id == kernel.nodes[fma].args[zero] ? std::optional(0.0) : std::nullopt;
    };
    options.same = [](const Access&, uint32_t) { return kNone; };
    options.absorb = absorb;
    return codegen::fold_kernel(kernel, options).stores.at(0).value;
  };
  for (size_t factor : {0, 1}) {
    EXPECT_EQ(folded(factor, true), kernel.nodes[fma].args[2]);
    EXPECT_EQ(folded(factor, false), fma);
  }
  EXPECT_EQ(folded(2, true), fma);
}

/// A gradient that grows is added up while what it is made of is near.
TEST(Lower, SumsThatGrowFollowWhatTheyAreMadeOf) {
  const Func func = parse(R"(
func @gains(%w: f32[4,4], %d0: f32[B,4], %x: f32[T,B,4]) -> (f32[B,4], f32[4]) {
  %z = const {value=0} : f32[4]
  %dT, %g = scan consts(%w) carry(%d = %d0, %gain = %z) xs(%xt = %x) {
    %h = tanh %d : f32[B,4]
    %size = reduce_sum %h {axes=[1]} : f32[B]
    %sizes = broadcast %size {axes=[0]} : f32[B,4]
    %e = mul %h, %sizes : f32[B,4]
    %d1 = matmul %e, %w : f32[B,4]
    %r = mul %h, %xt : f32[B,4]
    %s = reduce_sum %r {axes=[0]} : f32[4]
    %gain1 = add %gain, %s : f32[4]
    yield carry(%d1, %gain1)
  } : f32[B,4], f32[4]
  return %dT, %g
}
)");
  expect_same_as_evaluated(func, {{"T", 3}, {"B", 5}});
  std::vector<std::string> names;
  for (const auto& k : kernels_in_loops(codegen::lower(func))) names.push_back(k->name);
  EXPECT_EQ(names, (std::vector<std::string>{"h", "gain1", "size", "e", "d1"}));
}

TEST(Lower, ReversedScanStacksFromTheOtherEnd) {
  std::string text = test::kLstm;
  text.replace(text.find("scan consts"), 11, "scan reverse consts");
  Func func = parse(text);
  for (int64_t T : {0, 1, 5}) expect_same_as_evaluated(func, {{"T", T}, {"B", 2}, {"I", 3}});
}

TEST(Lower, CarriesThatChangePlacesAreCopied) {
  expect_same_as_evaluated(parse(R"(
func @swap(%a0: f64[4], %b0: f64[4], %x: f64[T,4]) -> (f64[4], f64[4]) {
  %aT, %bT = scan carry(%a = %a0, %b = %b0) xs(%xt = %x) {
    %a1 = add %b, %xt : f64[4]
    yield carry(%a1, %a) ys()
  } : f64[4], f64[4]
  return %aT, %bT
}
)"),
                           {{"T", 5}});
}

TEST(Lower, ElementwiseCarryIsOverwritten) {
  LoopProgram p = codegen::lower(parse(R"(
func @decay(%a0: f64[4], %x: f64[T,4]) -> (f64[4]) {
  %aT = scan carry(%a = %a0) xs(%xt = %x) {
    %m = mul %a, %xt : f64[4]
    yield carry(%m) ys()
  } : f64[4]
  return %aT
}
)"));
  EXPECT_EQ(kernels_in_loops(p).size(), 1u) << to_string(p);
}

TEST(Lower, NestedScansAndTripCounts) {
  Func func = parse(R"(
func @nested(%w: f64[3,3], %s0: f64[B,3], %x: f64[T,U,B,3]) -> (f64[B,3], f64[T,U,B,3], f64[N,B,3]) {
  %sT, %ys = scan consts(%w) carry(%s = %s0) xs(%xt = %x) {
    %rT, %yu = scan reverse consts(%w) carry(%r = %s) xs(%xu = %xt) {
      %m = matmul %r, %w : f64[B,3]
      %a = add %m, %xu : f64[B,3]
      %t = tanh %a : f64[B,3]
      yield carry(%t) ys(%t)
    } : f64[B,3], f64[U,B,3]
    yield carry(%rT) ys(%yu)
  } : f64[B,3], f64[T,U,B,3]
  %vN, %vs = scan trip(N) consts(%w) carry(%v = %sT) {
    %m = matmul %v, %w : f64[B,3]
    yield carry(%m) ys(%v)
  } : f64[B,3], f64[N,B,3]
  return %vN, %ys, %vs
}
)");
  for (int64_t T : {0, 1, 3}) expect_same_as_evaluated(func, {{"T", T}, {"U", 2}, {"B", 2}, {"N", 4}});
}

TEST(Lower, PartsOfAConcatAreWrittenByTheKernelsThatComputeThem) {
  Func func = parse(R"(
func @parts(%a: f64[B,4], %b: f64[B,4], %w: f64[12,3]) -> (f64[B,3], f64[B,12]) {
  %s = add %a, %b : f64[B,4]
  %d = sub %a, %b : f64[B,4]
  %t = tanh %s : f64[B,4]
  %z = concat %s, %d, %t {axis=1} : f64[B,12]
  %y = matmul %z, %w : f64[B,3]
  return %y, %z
}
)");
  expect_same_as_evaluated(func, {{"B", 3}});
  EXPECT_EQ(kernels(codegen::lower(func).stmts).size(), 3u);  // s and t, d, y
}

TEST(Lower, MovementOfComputedValues) {
  expect_same_as_evaluated(parse(R"(
func @move(%a: f64[B,6], %ids: i32[B], %table: f64[3,6]) -> (f64[6,B], f64[B,3], f64[B,9], f64[3,6], f64[B]) {
  %e = exp %a : f64[B,6]
  %t = transpose %e {axes=[1, 0]} : f64[6,B]
  %r = reshape %e : f64[B,2,3]
  %s = reduce_sum %r {axes=[1]} : f64[B,3]
  %p = pad %e {axis=1, lo=1, hi=2} : f64[B,9]
  %g = gather %table, %ids : f64[B,6]
  %ge = mul %g, %e : f64[B,6]
  %sc = scatter_add %ids, %ge : f64[3,6]
  %m = reduce_max %ge {axes=[1]} : f64[B]
  %mb = broadcast %m {axes=[0]} : f64[B,6]
  %d = sub %ge, %mb : f64[B,6]
  %x = exp %d : f64[B,6]
  %l = reduce_sum %x {axes=[1]} : f64[B]
  return %t, %s, %p, %sc, %l
}
)"),
                           {{"B", 5}});
}

TEST(Lower, RowsOfTablesAreBoundedByInputs) {
  LoopProgram p = codegen::lower(parse(R"(
func @embed(%table: f32[7,4], %ids: i32[T,B], %h0: f32[B,4]) -> (f32[B,4]) {
  %hT = scan consts(%table) carry(%h = %h0) xs(%id = %ids) {
    %e = gather %table, %id : f32[B,4]
    %s = add %e, %h : f32[B,4]
    yield carry(%s) ys()
  } : f32[B,4]
  return %hT
}
)"));
  ASSERT_EQ(p.bounds.size(), 1u);
  EXPECT_EQ(p.bounds[0].input, 1u);
  EXPECT_EQ(p.bounds[0].bound, Poly(7));
}

TEST(Lower, LengthsAreBoundedByTheSteps) {
  const ir::Func f = parse(R"(
func @sum(%h0: f64[B], %x: f64[T,B], %lengths: i32[B]) -> (f64[B]) {
  %hT = scan lengths(%lengths) carry(%h = %h0) xs(%x) {
    %s = add %x, %h : f64[B]
    yield carry(%s)
  } : f64[B]
  return %hT
}
)");
  LoopProgram p = codegen::lower(passes::mask_lengths(f));
  ASSERT_EQ(p.bounds.size(), 1u);
  EXPECT_EQ(p.bounds[0].input, 2u);
  EXPECT_EQ(p.bounds[0].bound, Poly(Dim("T")) + Poly(1));
  EXPECT_THROW(codegen::lower(f), Error);
}

constexpr const char* kUpdate = R"(
func @update(%p: f32[8,8], %g: f32[8,8], %x: f32[B,8]) -> (f32[8,8], f32[B,8]) {
  %y = matmul %x, %p : f32[B,8]
  %p1 = sub %p, %g : f32[8,8]
  return %p1, %y
}
)";

TEST(Lower, ProductsGetRegisterTiles) {
  auto all = kernels(codegen::lower(parse(kUpdate)).stmts);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]->schedule.form, Schedule::Form::gemm);
  EXPECT_EQ(all[1]->schedule.form, Schedule::Form::vector);
}

TEST(Lower, OneRowTimesAMatrixStaysInRegisters) {
  auto form = [](const std::string& rows, const std::string& columns) {
    auto program = codegen::lower(
        parse("func @product(%x: f32[" + rows + ",8], %w: f32[8," + columns + "]) -> (f32[" + rows + "," +
              columns + "]) {\n  %y = matmul %x, %w : f32[" + rows + "," + columns + "]\n  return %y\n}\n"));
    return kernels(program.stmts).at(0)->schedule.form;
  };
  EXPECT_EQ(form("1", "64"), Schedule::Form::row);
  EXPECT_EQ(form("2", "64"), Schedule::Form::gemm);
  EXPECT_EQ(form("B", "64"), Schedule::Form::gemm);
  EXPECT_EQ(form("1", "N"), Schedule::Form::gemm);
  EXPECT_EQ(form("1", "8192"), Schedule::Form::row);
}

/// A row times a constant matrix, in blocks; then one number in memory, which would fit where the turn is.
TEST(Lower, CallsWalkPackedRowsToAndFro) {
  const Func func = parse(R"(
func @f(%x: f32[1,96], %w: f32[96,128]) -> (f32[1,128]) {
  %y = matmul %x, %w : f32[1,128]
  %s = reduce_sum %y {axes=[1]} : f32[1]
  %b = broadcast %s {axes=[0]} : f32[1,128]
  %d = sub %y, %b : f32[1,128]
  return %d
}
)");
  codegen::CompileOptions options;
  options.constants = {1};
  const LoopProgram program = codegen::lower(func, options);
  const Kernel& product = *kernels(program.stmts).at(0);
  EXPECT_EQ(product.schedule.form, Schedule::Form::row);
  ASSERT_NE(product.schedule.workspace, kNone);
  const uint32_t slot = program.buffers[product.schedule.workspace].slot;
  EXPECT_EQ(std::ranges::count(program.buffers, slot, &Buffer::slot), 1) << to_string(program);
  EXPECT_GE(std::ranges::count_if(program.buffers, [&](const Buffer& b) { return b.slot != kNone; }), 3);
  // Threads share the blocks out.
  options.threads = 2;
  EXPECT_EQ(kernels(codegen::lower(func, options).stmts).at(0)->schedule.workspace, kNone);
}

TEST(Lower, WeightsAreUpdatedInPlace) {
  codegen::CompileOptions options;
  options.aliases = {{0, 0}};
  LoopProgram p = codegen::lower(parse(kUpdate), options);
  EXPECT_EQ(kernels(p.stmts).size(), 2u) << to_string(p);
}

TEST(Lower, AnUpdateWaitsForReadersOfTheOldValue) {
  std::string text = kUpdate;
  size_t y = text.find("  %y"), p1 = text.find("  %p1");
  std::string line = text.substr(y, p1 - y);
  text.erase(y, p1 - y);
  text.insert(text.find("  return"), line);  // the reader now stands after the update
  codegen::CompileOptions options;
  options.aliases = {{0, 0}};
  LoopProgram p = codegen::lower(parse(text), options);
  auto all = kernels(p.stmts);
  ASSERT_EQ(all.size(), 3u) << to_string(p);
  EXPECT_EQ(all.back()->stores[0].access.buffer, 3u);  // the copy into the output comes last
}

TEST(Lower, AliasedArgumentsMustHaveOneType) {
  codegen::CompileOptions options;
  options.aliases = {{2, 0}};
  EXPECT_THROW(codegen::lower(parse(kUpdate), options), Error);
}

TEST(PlanMemory, BuffersThatDoNotLiveTogetherShareMemory) {
  std::string text = "func @chain(%w: f64[8,8], %x0: f64[B,8]) -> (f64[B,8]) {\n";
  for (int i = 0; i < 10; ++i)
    text += "  %x" + std::to_string(i + 1) + " = matmul %x" + std::to_string(i) + ", %w : f64[B,8]\n";
  LoopProgram p = codegen::lower(parse(text + "  return %x10\n}\n"));
  EXPECT_EQ(p.slots.size(), 2u);
  EXPECT_EQ(codegen::scratch_bytes(p, {{"B", 3}}), 2 * 192);
}

/// A kernel that reads `from` and writes `to`, one element of each.
Stmt copy_one(const std::vector<BufferId>& from, BufferId to) {
  auto kernel = std::make_shared<Kernel>();
  for (BufferId b : from) {
    Node load;
    load.op = ScalarOp::load;
    load.access.buffer = b;
    kernel->nodes.push_back(load);
  }
  Store store;
  store.access.buffer = to;
  kernel->stores.push_back(store);
  return {kernel, nullptr, nullptr};
}

TEST(PlanMemory, ASmallBufferDoesNotTakeThePlaceOfALargeOne) {
  LoopProgram p;
  for (int64_t elements : {1000, 10, 1000}) {
    p.buffers.push_back({});
    p.buffers.back().size = elements;
  }
  p.stmts = {copy_one({}, 0), copy_one({0}, 1), copy_one({1}, 2), copy_one({1, 2}, 2)};
  codegen::plan_memory(p);
  EXPECT_EQ(p.slots.size(), 2u);
  EXPECT_EQ(p.buffers[0].slot, p.buffers[2].slot);
}

}  // namespace
}  // namespace rondo
