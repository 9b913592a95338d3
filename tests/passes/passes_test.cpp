#include <gtest/gtest.h>

#include "ir/arrays.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tests/passes/structure.h"
#include "tests/support/cells.h"
#include "tests/support/environment.h"

namespace rondo {
namespace {

using ir::DimValues;
using ir::Func;
using ir::OpKind;
using ir::parse;
using test::count;
using test::count_in_scans;
using test::scans_of;

/// Evaluates both on random inputs; they agree to the last bits.
void expect_same(const Func& a, const Func& b, const DimValues& dims) {
  const auto inputs = ir::random_inputs(a, dims, 7);
  EXPECT_LT(ir::difference(ir::evaluate(b, inputs, dims), ir::evaluate(a, inputs, dims)), 1e-12)
      << ir::print(a) << ir::print(b);
}

/// Runs the pipeline and checks that it changes no result.
Func run(const Func& func, std::string_view pipeline, const DimValues& dims) {
  Func after = passes::run_pipeline(func, pipeline);
  expect_same(func, after, dims);
  return after;
}

const DimValues kLstmDims{{"T", 4}, {"B", 3}, {"I", 2}};

TEST(Passes, LstmForwardKeepsOneMatmulInTheLoop) {
  const Func after = run(parse(test::kLstm), passes::kInference, kLstmDims);
  EXPECT_EQ(count(after, OpKind::matmul), 1) << ir::print(after);
  EXPECT_EQ(count_in_scans(after, OpKind::matmul), 1) << ir::print(after);
}

TEST(Passes, GruGatesBecomeSlicesOfMergedProducts) {
  const Func after = run(parse(test::kGru), passes::kInference, {{"T", 4}, {"B", 3}});
  EXPECT_EQ(count(after, OpKind::matmul), 1) << ir::print(after);           // x [wr wz wn]
  EXPECT_EQ(count_in_scans(after, OpKind::matmul), 2) << ir::print(after);  // h [ur uz], and (r h) un
  EXPECT_EQ(count_in_scans(after, OpKind::concat), 0) << ir::print(after);
  EXPECT_EQ(count_in_scans(after, OpKind::slice), 5) << ir::print(after);
  EXPECT_EQ(scans_of(after).at(0)->operands.size(), 4u) << ir::print(after);  // [ur uz], un, h, z
}

/// Of the loss and its gradients: the backward scan.
const ir::Op& backward_scan(const Func& func) {
  for (const ir::Op* scan : scans_of(func))
    if (scan->attrs.reverse) return *scan;
  throw std::runtime_error("no reverse scan:\n" + ir::print(func));
}

void check_gradients(const char* text, const DimValues& dims, long backward_matmuls, long all_in_scans) {
  const Func plain = passes::grad(parse(text));
  const Func after = passes::run_pipeline(parse(text), passes::kTraining);
  expect_same(plain, after, dims);
  const ir::Op& scan = backward_scan(after);
  EXPECT_EQ(count(*scan.body, OpKind::matmul), backward_matmuls) << ir::print(after);
  EXPECT_EQ(count_in_scans(after, OpKind::matmul), all_in_scans) << ir::print(after);
  EXPECT_EQ(count_in_scans(after, OpKind::reduce_sum), 0) << ir::print(after);
  for (uint32_t i = 0; i < scan.attrs.carries;
       ++i)  // cotangents of states only: no sums of weights' gradients
    EXPECT_EQ(after.type(scan.result(i)).shape[0], ir::Dim("B")) << ir::print(after);
}

TEST(Passes, LstmBackwardKeepsOneMatmulInTheLoop) { check_gradients(test::kLstm, kLstmDims, 1, 2); }
TEST(Passes, GruBackwardKeepsTwoMatmulsInTheLoop) { check_gradients(test::kGru, {{"T", 4}, {"B", 3}}, 2, 4); }

// Recurrence from the output only; under teacher forcing the true output of the step before stands in its
// place.
constexpr const char* kTeacherForced = R"(
func @teacher(%w: f64[2,4], %u: f64[3,4], %v: f64[4,2], %b: f64[4], %x: f64[T,B,3], %y: f64[T,B,2]) -> (f64[]) {
  %zero = const {value=0} : f64[]
  %loss, %os = scan consts(%w, %u, %v, %b) carry(%sum = %zero) xs(%xt = %x, %before = %y) {
    %wo = matmul %before, %w : f64[B,4]
    %ux = matmul %xt, %u : f64[B,4]
    %wb = broadcast %b {axes=[1]} : f64[B,4]
    %a0 = add %wo, %ux : f64[B,4]
    %a = add %a0, %wb : f64[B,4]
    %h = tanh %a : f64[B,4]
    %o = matmul %h, %v : f64[B,2]
    %e = sub %o, %before : f64[B,2]
    %e2 = mul %e, %e : f64[B,2]
    %l = reduce_sum %e2 {axes=[0,1]} : f64[]
    %next = add %sum, %l : f64[]
    yield carry(%next) ys(%o)
  } : f64[], f64[T,B,2]
  return %loss
}
)";

TEST(Passes, TeacherForcingLeavesNoScan) {
  const DimValues dims{{"T", 5}, {"B", 2}};
  const Func plain = passes::grad(parse(kTeacherForced));
  const Func after = passes::run_pipeline(parse(kTeacherForced), passes::kTraining);
  expect_same(plain, after, dims);
  EXPECT_EQ(count(after, OpKind::scan), 0) << ir::print(after);
  const Func inference = run(parse(kTeacherForced), passes::kInference, dims);
  EXPECT_EQ(count_in_scans(inference, OpKind::matmul), 0) << ir::print(inference);
}

// A character model: embedding, recurrent layer, output layer, softmax cross-entropy of each step.
constexpr const char* kCharRnn = R"(
func @char_rnn(%e: f64[5,3], %wx: f64[3,4], %wh: f64[4,4], %v: f64[4,5], %vb: f64[5], %h0: f64[B,4], %ids: i32[T,B],
               %next: i32[T,B]) -> (f64[], f64[B,4]) {
  %hT, %ls = scan consts(%e, %wx, %wh, %v, %vb) carry(%h = %h0) xs(%id = %ids, %target = %next) {
    %xt = gather %e, %id : f64[B,3]
    %zx = matmul %xt, %wx : f64[B,4]
    %zh = matmul %h, %wh : f64[B,4]
    %z = add %zx, %zh : f64[B,4]
    %h1 = tanh %z : f64[B,4]
    %o = matmul %h1, %v : f64[B,5]
    %ob = broadcast %vb {axes=[1]} : f64[B,5]
    %logits = add %o, %ob : f64[B,5]
    %top = reduce_max %logits {axes=[1]} : f64[B]
    %tops = broadcast %top {axes=[0]} : f64[B,5]
    %shifted = sub %logits, %tops : f64[B,5]
    %exps = exp %shifted : f64[B,5]
    %sum = reduce_sum %exps {axes=[1]} : f64[B]
    %log = log %sum : f64[B]
    %classes = iota {axis=1} : i32[B,5]
    %targets = broadcast %target {axes=[0]} : i32[B,5]
    %hit = equal %classes, %targets : pred[B,5]
    %zeros = const {value=0} : f64[B,5]
    %picked = select %hit, %shifted, %zeros : f64[B,5]
    %score = reduce_sum %picked {axes=[1]} : f64[B]
    %l = sub %log, %score : f64[B]
    yield carry(%h1) ys(%l)
  } : f64[B,4], f64[T,B]
  %total = reduce_sum %ls {axes=[0,1]} : f64[]
  return %total, %hT
}
)";

TEST(Passes, OutputLayerAndLossLeaveTheScan) {
  const DimValues dims{{"T", 4}, {"B", 3}};
  const Func after = run(parse(kCharRnn), passes::kInference, dims);
  EXPECT_EQ(count_in_scans(after, OpKind::matmul), 1) << ir::print(after);
  EXPECT_EQ(count_in_scans(after, OpKind::gather), 0) << ir::print(after);
  EXPECT_EQ(count_in_scans(after, OpKind::exp), 0) << ir::print(after);

  const Func plain = passes::grad(parse(kCharRnn));
  const Func training = passes::run_pipeline(parse(kCharRnn), passes::kTraining);
  expect_same(plain, training, dims);
  EXPECT_EQ(count_in_scans(training, OpKind::matmul), 2) << ir::print(training);
  EXPECT_EQ(count_in_scans(training, OpKind::scatter_add), 0) << ir::print(training);
  EXPECT_EQ(backward_scan(training).attrs.carries, 1u) << ir::print(training);
}

// Two layers of one step function, a counter beside them, and an output of both.
constexpr const char* kStack = R"(
func @stack(%wx: f64[3,2], %u: f64[2,2], %w2: f64[2,2], %u2: f64[2,2], %v: f64[2,3], %h0: f64[B,2], %x: f64[T,B,3]) -> (f64[], i32[]) {
  %zero = const {value=0} : i32[]
  %hT, %gT, %n, %ys = scan consts(%wx, %u, %w2, %u2, %v) carry(%h = %h0, %g = %h0, %n = %zero) xs(%xt = %x) {
    %xw = matmul %xt, %wx : f64[B,2]
    %hu = matmul %h, %u : f64[B,2]
    %a = add %xw, %hu : f64[B,2]
    %h1 = tanh %a : f64[B,2]
    %hw = matmul %h1, %w2 : f64[B,2]
    %gu = matmul %g, %u2 : f64[B,2]
    %s = add %hw, %gu : f64[B,2]
    %g1 = tanh %s : f64[B,2]
    %both = mul %h1, %g1 : f64[B,2]
    %o = matmul %both, %v : f64[B,3]
    %one = const {value=1} : i32[]
    %n1 = add %n, %one : i32[]
    yield carry(%h1, %g1, %n1) ys(%o)
  } : f64[B,2], f64[B,2], i32[], f64[T,B,3]
  %e = exp %ys : f64[T,B,3]
  %l1 = reduce_sum %e {axes=[0,1,2]} : f64[]
  %p = mul %gT, %hT : f64[B,2]
  %l2 = reduce_sum %p {axes=[0,1]} : f64[]
  %loss = add %l1, %l2 : f64[]
  return %loss, %n
}
)";

TEST(Passes, StackedLayersPart) {
  const DimValues dims{{"T", 4}, {"B", 2}};
  const Func after = run(parse(kStack), passes::kInference, dims);
  ASSERT_EQ(scans_of(after).size(), 2u) << ir::print(after);
  for (const ir::Op* scan : scans_of(after))
    EXPECT_EQ(count(*scan->body, OpKind::matmul), 1) << ir::print(after);
  EXPECT_EQ(count(after, OpKind::matmul), 3) << ir::print(after);

  const test::Environment skip("RONDO_SKIP", "tile-sequences");  // else both backward ones are parts of one
  const Func training = passes::run_pipeline(parse(kStack), passes::kTraining);
  expect_same(passes::grad(parse(kStack)), training, dims);
  ASSERT_EQ(scans_of(training).size(), 4u) << ir::print(training);
  for (const ir::Op* scan : scans_of(training))
    EXPECT_EQ(count(*scan->body, OpKind::matmul), 1) << ir::print(training);
}

TEST(Passes, GatherOfASmallTableMovesBehindTheProduct) {
  const Func after = run(parse(kCharRnn), "gather-matmul,simplify,hoist-scan,simplify", {{"T", 4}, {"B", 3}});
  const ir::Op* product = nullptr;
  for (const ir::Op& op : after.ops)
    if (op.kind == OpKind::matmul && !product) product = &op;
  ASSERT_TRUE(product) << ir::print(after);
  EXPECT_EQ(after.type(product->result()), (ir::Type{DType::f64, {5, 4}})) << ir::print(after);
}

TEST(Passes, EachPassKeepsTheResults) {
  for (const char* text : {test::kLstm, test::kGru, kTeacherForced, kCharRnn, kStack}) {
    for (const std::string& f : {std::string(text), test::reversed(text)}) {
      for (const char* pass :
           {"simplify", "center-products", "fuse-multiply-adds", "merge-matmuls", "hoist-scan",
            "sink-scan-outputs", "sink-scan-sums", "gather-matmul", "split-scan"}) {
        run(parse(f), pass, {{"T", 3}, {"B", 2}, {"I", 3}});
        run(parse(f), pass, {{"T", 0}, {"B", 1}, {"I", 1}});
        const Func gradient = passes::grad(parse(f));
        run(gradient, pass, {{"T", 3}, {"B", 2}, {"I", 3}});
      }
    }
  }
}

TEST(Passes, UnrolledIsRolled) {
  for (const char* text : {test::kLstm, test::kGru, kTeacherForced, kCharRnn, kStack}) {
    for (const std::string& source : {std::string(text), test::reversed(text)}) {
      const Func f = passes::bind_dims(parse(source), {{"T", 6}});
      const DimValues dims{{"B", 2}, {"I", 2}};
      EXPECT_EQ(count(run(f, "unroll-scan", dims), OpKind::scan), 0);
      EXPECT_EQ(count(run(f, "unroll-scan{factor=2}", dims), OpKind::scan), 1);
      run(f, "unroll-scan{factor=3},simplify", dims);
      EXPECT_EQ(run(f, "unroll-scan{factor=4}", dims).ops.size(), f.ops.size());  // 4 does not divide 6
      // Rolled gradient == unrolled gradient.
      const Func rolled = passes::grad(f),
                 unrolled = passes::run_pipeline(f, "unroll-scan,simplify,grad,simplify");
      expect_same(rolled, unrolled, dims);
    }
  }
  const Func none = passes::bind_dims(parse(test::kLstm), {{"T", 0}});
  EXPECT_EQ(count(run(none, "unroll-scan", {{"B", 2}, {"I", 2}}), OpKind::scan), 0);
}

/// What centering saves grows with the rows; a name stands for many.
TEST(Passes, ProductsOfFewRowsAreNotCentered) {
  const Func f = parse(R"(
func @normalised(%w: f64[4,4], %h0: f64[B,4]) -> (f64[B,4]) {
  %h = scan trip(3) consts(%w) carry(%h = %h0) {
    %z = matmul %h, %w : f64[B,4]
    %sum = reduce_sum %z {axes=[1]} : f64[B]
    %n = const {value=0.25} : f64[B]
    %mean = mul %sum, %n : f64[B]
    %means = broadcast %mean {axes=[0]} : f64[B,4]
    %next = sub %z, %means : f64[B,4]
    yield carry(%next)
  } : f64[B,4]
  return %h
})");
  const auto is_centered = [&](const DimValues& numbers) {
    const Func after = run(passes::bind_dims(f, numbers), "center-products,simplify", {{"B", 2}});
    return scans_of(after).at(0)->body->ops.back().kind == OpKind::matmul;
  };
  EXPECT_TRUE(is_centered({}));
  EXPECT_TRUE(is_centered({{"B", 4}}));
  EXPECT_FALSE(is_centered({{"B", 3}}));
  EXPECT_FALSE(is_centered({{"B", 1}}));
}

/// Blocks have as many steps as make 256 rows of the widest sequence. There may be none of these rows.
TEST(Passes, BlocksOfNoRowsHaveAllSteps) {
  const Func f = parse(R"(
func @loss(%h0: f64[B,4], %n0: f64[N,B], %x: f64[B,4]) -> (f64[]) {
  %h, %n = scan trip(6) consts(%x) carry(%h = %h0, %n = %n0) {
    %xx = mul %x, %x : f64[B,4]
    %hx = add %h, %xx : f64[B,4]
    %h1 = tanh %hx : f64[B,4]
    %n1 = tanh %n : f64[N,B]
    yield carry(%h1, %n1)
  } : f64[B,4], f64[N,B]
  %hs = reduce_sum %h {axes=[0,1]} : f64[]
  %ns = reduce_sum %n {axes=[0,1]} : f64[]
  %loss = add %hs, %ns : f64[]
  return %loss
})");
  const Func plain = passes::grad(f), after = passes::run_pipeline(f, passes::kTraining);
  ASSERT_NE(ir::print(after).find("/N)"), std::string::npos) << ir::print(after);
  expect_same(plain, after, {{"B", 2}, {"N", 3}});
  expect_same(plain, after, {{"B", 2}, {"N", 0}});
}

TEST(Passes, BindDims) {
  const Func f = passes::bind_dims(parse(test::kLstm), {{"T", 3}, {"I", 2}});
  EXPECT_EQ(ir::named_dims(f), std::vector<std::string>{"B"});
  ir::check(f, "bound");
  expect_same(parse(test::kLstm), f, {{"T", 3}, {"B", 2}, {"I", 2}});
}

}  // namespace
}  // namespace rondo
