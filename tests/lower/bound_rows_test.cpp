// Rows past their end: they cost nothing, change nothing, and nobody reads what nobody wrote of them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "codegen/compile.h"
#include "codegen/loops/interpreter.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "tests/support/arrays.h"
#include "tests/support/cells.h"
#include "tests/support/execute.h"

namespace rondo {
namespace {

using namespace ir;
using Lengths = std::vector<double>;

/// An LSTM and a softmax at each step: rows of various lengths, a loss that counts their own steps only.
constexpr const char* kTagger = R"(
func @tagger(%wx: f32[8,16], %wh: f32[4,16], %b: f32[16], %wo: f32[4,5], %x: f32[T,B,8], %y: f32[T,B,5], %lengths: i32[B]) -> (f32[]) {
  %zero = const {value=0} : f32[B,4]
  %hT, %cT, %hs = scan lengths(%lengths) consts(%wx, %wh, %b) carry(%h = %zero, %c = %zero) xs(%xt = %x) {
    %zx = matmul %xt, %wx : f32[B,16]
    %zh = matmul %h, %wh : f32[B,16]
    %s = add %zx, %zh : f32[B,16]
    %bb = broadcast %b {axes=[1]} : f32[B,16]
    %z = add %s, %bb : f32[B,16]
    %i = slice %z {axis=1, lo=0, hi=4} : f32[B,4]
    %f = slice %z {axis=1, lo=4, hi=8} : f32[B,4]
    %g = slice %z {axis=1, lo=8, hi=12} : f32[B,4]
    %o = slice %z {axis=1, lo=12, hi=16} : f32[B,4]
    %si = sigmoid %i : f32[B,4]
    %sf = sigmoid %f : f32[B,4]
    %tg = tanh %g : f32[B,4]
    %so = sigmoid %o : f32[B,4]
    %fc = mul %sf, %c : f32[B,4]
    %ig = mul %si, %tg : f32[B,4]
    %c1 = add %fc, %ig : f32[B,4]
    %tc = tanh %c1 : f32[B,4]
    %h1 = mul %so, %tc : f32[B,4]
    yield carry(%h1, %c1) ys(%h1)
  } : f32[B,4], f32[B,4], f32[T,B,4]
  %logits = matmul %hs, %wo : f32[T,B,5]
  %most = reduce_max %logits {axes=[2]} : f32[T,B]
  %mb = broadcast %most {axes=[0,1]} : f32[T,B,5]
  %shifted = sub %logits, %mb : f32[T,B,5]
  %e = exp %shifted : f32[T,B,5]
  %se = reduce_sum %e {axes=[2]} : f32[T,B]
  %lse = log %se : f32[T,B]
  %p = mul %shifted, %y : f32[T,B,5]
  %ps = reduce_sum %p {axes=[2]} : f32[T,B]
  %l = sub %lse, %ps : f32[T,B]
  %t = iota {axis=0} : i32[T,B]
  %ll = broadcast %lengths {axes=[1]} : i32[T,B]
  %active = less %t, %ll : pred[T,B]
  %none = const {value=0} : f32[T,B]
  %own = select %active, %l, %none : f32[T,B]
  %loss = reduce_sum %own {axes=[0,1]} : f32[]
  return %loss
}
)";

/// The text of a cell with one scan, with lengths as its last input.
std::string with_lengths(std::string text) {
  text.insert(text.find("consts("), "lengths(%L) ");
  return text.insert(text.find(") ->"), ", %L: i32[B]");
}

Func inference(const std::string& text) { return passes::run_pipeline(parse(text), passes::kInference); }
Func training(const std::string& text) { return passes::run_pipeline(parse(text), passes::kTraining); }

codegen::CompileOptions unbounded() {
  codegen::CompileOptions options;
  options.bound_rows = false;
  return options;
}

/// Inputs for rows of these lengths, the last input; with `padding` beyond them in what has steps and rows.
std::vector<Array> inputs_for(const Func& f, const DimValues& dims, const Lengths& lengths, double padding) {
  std::vector<Array> inputs = random_inputs(f, dims, 7);
  for (size_t i = 0; i + 1 < inputs.size(); ++i) {
    const Shape& shape = f.type(f.params[i]).shape;
    if (shape.size() < 3 || shape[0] != Dim("T") || shape[1] != Dim("B")) continue;
    Array& a = inputs[i];
    const auto width = static_cast<size_t>(a.shape[2]);
    for (size_t e = 0; e < a.data.size(); ++e)
      if (static_cast<double>(e / width / lengths.size()) >= lengths[e / width % lengths.size()])
        a.data[e] = padding;
  }
  inputs.back().data = lengths;
  return inputs;
}

struct Case {
  int64_t steps;
  Lengths lengths;
};
const std::vector<Case> kCases = {
    {6, {6, 5, 5, 2, 1, 0, 0}},  // sorted
    {6, {0, 3, 6, 1, 4}},        // not sorted
    {3, {3, 3, 3, 3}},           // full
    {3, {0, 0}},
    {0, {0, 0, 0}},
    {4, {2}},
    {20, {20, 19, 17, 17, 13, 12, 12, 12, 9, 9, 8, 8, 8, 7, 5, 4, 3, 3, 2, 1, 1, 0}},
};

void expect_same_as_evaluated(const Func& f) {
  const LoopProgram program = codegen::lower(f);
  const auto code = codegen::compile(f);
  for (const Case& c : kCases) {
    const DimValues dims = {{"T", c.steps}, {"B", static_cast<int64_t>(c.lengths.size())}, {"I", 3}};
    const auto inputs = inputs_for(f, dims, c.lengths, 0.5);
    const auto want = evaluate(f, inputs, dims);
    const auto shapes = shapes_of(want);
    SCOPED_TRACE("steps " + std::to_string(c.steps) + ", rows " + std::to_string(c.lengths.size()));
    EXPECT_LE(difference(codegen::interpret(program, inputs, shapes, dims), want), 1e-12)
        << to_string(program);
    EXPECT_LE(difference(test::execute(*code, inputs, shapes, dims), want), tolerance(f))
        << to_string(program);
  }
}

TEST(BoundRows, TaggerMeansTheSame) {
  expect_same_as_evaluated(inference(kTagger));
  expect_same_as_evaluated(training(kTagger));
}

TEST(BoundRows, CellsMeanTheSame) {
  for (const std::string& cell :
       {std::string(test::kLstm), test::reversed(test::kLstm), std::string(test::kGru)}) {
    expect_same_as_evaluated(inference(with_lengths(cell)));
    expect_same_as_evaluated(training(with_lengths(cell)));
  }
}

int64_t terms_of(const LoopProgram& program, const Func& f, const DimValues& dims, const Lengths& lengths) {
  const auto inputs = inputs_for(f, dims, lengths, 0);
  std::vector<std::vector<int64_t>> shapes;
  for (Value v : f.results) shapes.push_back(bind(f.type(v).shape, dims));
  int64_t terms = 0;
  codegen::interpret(program, inputs, shapes, dims, &terms);
  return terms;
}

TEST(BoundRows, WorkFollowsTheSumOfLengths) {
  for (const Func& f : {inference(kTagger), training(kTagger)}) {
    const LoopProgram program = codegen::lower(f);
    const Lengths sorted = {12, 11, 11, 7, 6, 4, 2, 1, 1, 0}, full(10, 12), none(10, 0);
    const DimValues dims = {{"T", 12}, {"B", 10}};
    const double fixed = static_cast<double>(terms_of(program, f, dims, none));
    const double work = static_cast<double>(terms_of(program, f, dims, sorted)) - fixed;
    const double whole = static_cast<double>(terms_of(program, f, dims, full)) - fixed;
    EXPECT_EQ(work / whole, std::accumulate(sorted.begin(), sorted.end(), 0.0) / 120) << to_string(program);
    EXPECT_LT(fixed, whole / 100);  // counting rows, and the sum of the loss
  }
}

TEST(BoundRows, BitsOfLiveRowsStay) {
  for (const Func& f : {inference(kTagger), training(kTagger)}) {
    const auto bounded = codegen::compile(f), whole = codegen::compile(f, unbounded());
    for (const Case& c : kCases) {
      const DimValues dims = {{"T", c.steps}, {"B", static_cast<int64_t>(c.lengths.size())}};
      const auto inputs = inputs_for(f, dims, c.lengths, 0.25);
      std::vector<std::vector<int64_t>> shapes;
      for (Value v : f.results) shapes.push_back(bind(f.type(v).shape, dims));
      const auto a = test::execute(*bounded, inputs, shapes, dims),
                 b = test::execute(*whole, inputs, shapes, dims);
      for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].data, b[i].data) << "result " << i;
    }
  }
}

TEST(BoundRows, NoPaddingReachesResults) {
  const Func f = training(kTagger);
  const auto code = codegen::compile(f);
  const DimValues dims = {{"T", 6}, {"B", 4}};
  const Lengths lengths = {6, 4, 1, 0};
  std::vector<std::vector<int64_t>> shapes;
  for (Value v : f.results) shapes.push_back(bind(f.type(v).shape, dims));
  const auto clean = test::execute(*code, inputs_for(f, dims, lengths, 0), shapes, dims);
  const auto padded = test::execute(*code, inputs_for(f, dims, lengths, std::nan("")), shapes, dims);
  for (size_t i = 0; i < clean.size(); ++i) EXPECT_EQ(clean[i].data, padded[i].data) << "result " << i;
}

TEST(BoundRows, ProgramsWithoutLengthsStay) {
  const Func f = training(test::kLstm);
  EXPECT_EQ(to_string(codegen::lower(f)), to_string(codegen::lower(f, unbounded())));
}

}  // namespace
}  // namespace rondo
