// Random functions of a batch of sequences whose rows have lengths: the loop program that runs live rows only
// agrees with the evaluator, and reads nothing that nobody wrote.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "codegen/compile.h"
#include "codegen/loops/interpreter.h"
#include "ir/arrays.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "tests/support/execute.h"

namespace rondo::test {
namespace {

using namespace ir;

constexpr DType F = DType::f64;
constexpr uint64_t kSeeds = 200;
constexpr uint64_t kCompiled = 5;
constexpr double kTolerance = 1e-9;

/// Grows a function around values of steps and rows, of rows, and of neither, masks on some of them.
class RaggedGenerator {
 public:
  explicit RaggedGenerator(uint64_t seed) : random_(seed), b_("ragged") {}

  Func run() {
    param({"T", "B", 3}), param({"T", "B", 3}), param({"T", "B", 2}), param({"B", 3}), param({"T", "B"});
    param({3, 2}), param({2, 3}), param({3, 3});
    const Value lengths = b_.param({DType::i32, {"B"}}, "lengths");
    const Shape steps{"T", "B"};
    mask_ = b_.binary(OpKind::less, b_.iota({DType::i32, steps}, 0), b_.broadcast(lengths, steps, {1}));
    for (int i = 0; i < 14; ++i) grow();
    return finish();
  }

 private:
  size_t below(size_t n) { return random_() % n; }
  void param(Shape shape) { pool_.push_back(b_.param({F, std::move(shape)})); }
  const Shape& shape(Value v) const { return b_.type(v).shape; }
  void add(Value v) { pool_.push_back(v); }

  /// A value with rows at this dim (0 or 1; -1: of any shape), late ones rather.
  Value pick(int rows_at, size_t rank = 0) {
    std::vector<Value> fit;
    for (Value v : pool_) {
      const Shape& s = shape(v);
      const bool has = rows_at < 0 || (s.size() > static_cast<size_t>(rows_at) && s[rows_at] == Dim("B"));
      if (has && (rank == 0 || s.size() == rank)) fit.push_back(v);
    }
    const size_t a = below(fit.size()), b = below(fit.size());
    return fit[std::max(a, b)];
  }
  Value of_shape(const Shape& wanted) {
    std::vector<Value> fit;
    for (Value v : pool_)
      if (shape(v) == wanted) fit.push_back(v);
    return fit[below(fit.size())];
  }
  Value masked(Value v) {
    std::vector<int64_t> axes = {0, 1};
    const Value m = b_.broadcast(mask_, shape(v), axes);
    return b_.select(m, v, below(3) ? b_.like(v, 0) : of_shape(shape(v)));
  }

  void grow() {
    const Value v = pick(1);  // [T,B] or [T,B,n]
    const int64_t last = b_.type(v).rank() - 1;
    switch (below(13)) {
      case 0: return add(b_.unary(OpKind::tanh, v));
      case 1: return add(b_.add(v, of_shape(shape(v))));
      case 2: return add(b_.mul(v, of_shape(shape(v))));
      case 3: return add(b_.sub(of_shape(shape(v)), v));
      case 4:
      case 5: return add(masked(v));
      case 6: return add(last == 2 ? b_.reduce_sum(v, {2}) : b_.broadcast(v, {"T", "B", 3}, {0, 1}));
      case 7:
        return last == 2 ? add(b_.matmul(v, of_shape(shape(v)[2] == Dim(3) ? Shape{3, 2} : Shape{2, 3})))
                         : void();
      case 8: return last == 2 ? add(b_.reduce_max(v, {2})) : void();
      case 9: return add(b_.broadcast(of_shape({"B", 3}), {"T", "B", 3}, {1, 2}));
      case 10: return last == 2 && shape(v)[2] == Dim(3) ? add(b_.reduce_sum(v, {0})) : void();  // [B,3]
      case 11:
        return last == 2 && shape(v)[2] == Dim(3) ? add(b_.matmul(of_shape(shape(v)), v, true)) : void();
      default: return scan();
    }
  }

  /// A recurrence with lengths, or one that takes the mask as it likes.
  void scan() {
    Builder body("body");
    const bool lengths = below(2);
    const Shape row{"B", 3};
    const Value w = body.param({F, {3, 3}}), h = body.param({F, row}), c = body.param({F, row});
    const Value x = body.param({F, row}), m = lengths ? Value{} : body.param({DType::pred, {"B"}});
    const Value a = body.unary(OpKind::tanh, body.add(below(2) ? body.matmul(h, w) : h, x));
    const Value b = body.unary(OpKind::tanh, body.add(body.mul(a, c), below(2) ? body.matmul(a, w) : x));
    std::vector<Value> results = {a, b};
    if (below(2)) results.push_back(a);
    if (below(2)) results.push_back(b);
    if (below(2)) results.push_back(below(2) ? h : c);
    for (size_t i = 0; !lengths && i < results.size(); ++i)
      if (below(4))
        results[i] = body.select(body.broadcast(m, row, {0}), results[i],
                                 i == 0   ? h
                                 : i == 1 ? c
                                          : body.like(h, 0));
    Attrs attrs;
    attrs.reverse = below(2);
    attrs.lengths = lengths;
    attrs.consts = 1;
    attrs.carries = 2;
    std::vector<Value> operands = {of_shape({3, 3}), of_shape(row), of_shape(row), of_shape({"T", "B", 3})};
    operands.push_back(lengths ? b_.func().params[8] : mask_);
    auto func = std::make_shared<const Func>(std::move(body).finish(results));
    for (Value v : b_.emit_scan(operands, attrs, func)) add(v);
  }

  /// A scalar of all that is left, then some of it as it is.
  Func finish() {
    Value loss = b_.scalar(F, 0);
    std::vector<Value> results;
    for (int i = 0; i < 3; ++i) {
      Value v = b_.unary(OpKind::tanh, pick(below(4) ? 1 : 0));
      if (below(2) && shape(v)[0] == Dim("T")) v = masked(v);
      std::vector<int64_t> axes(shape(v).size());
      for (size_t d = 0; d < axes.size(); ++d) axes[d] = static_cast<int64_t>(d);
      loss = b_.add(loss, b_.reduce_sum(v, axes));
    }
    results.push_back(loss);
    for (size_t n = below(3); n > 0; --n) results.push_back(pick(-1));
    return std::move(b_).finish(results);
  }

  std::mt19937_64 random_;
  Builder b_;
  Value mask_;
  std::vector<Value> pool_;
};

class RaggedFunctions : public testing::TestWithParam<uint64_t> {};

TEST_P(RaggedFunctions, LiveRowsAreEnough) {
  for (uint64_t seed = GetParam(); seed < GetParam() + 20; ++seed) {
    const Func func = RaggedGenerator(seed).run();
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + print(func));
    std::mt19937_64 random(seed);
    const std::string in_windows =
        "mask-lengths,simplify,recompute{window=2}," + std::string(passes::kTraining);
    const std::string in_blocks = std::string(passes::kTraining) + ",tile-rows{rows=2}";
    for (std::string_view pipeline : {std::string_view("mask-lengths"), passes::kInference, passes::kTraining,
                                      std::string_view(in_windows), std::string_view(in_blocks)}) {
      const Func ready = passes::run_pipeline(func, pipeline);
      const LoopProgram program = codegen::lower(ready);
      codegen::CompileOptions threads;
      threads.threads = 2 + static_cast<int64_t>(seed % 2);
      const LoopProgram together = codegen::lower(ready, threads);
      std::shared_ptr<const Executable> code;
      if (seed % (kSeeds / kCompiled) == 0) code = codegen::compile(ready);
      for (int sizes = 0; sizes < 3; ++sizes) {
        const DimValues dims = {{"T", sizes ? 2 + random() % 3 : 0}, {"B", 1 + random() % 5}};
        auto inputs = random_inputs(ready, dims, seed);
        std::vector<double>& lengths = inputs.back().data;
        for (double& n : lengths) n = static_cast<double>(random() % static_cast<uint64_t>(dims.at("T") + 1));
        if (random() % 2) std::sort(lengths.rbegin(), lengths.rend());
        const auto want = evaluate(ready, inputs, dims);
        const auto shapes = shapes_of(want);
        ASSERT_LT(difference(codegen::interpret(program, inputs, shapes, dims), want), kTolerance)
            << pipeline << "\n"
            << print(ready) << to_string(program);
        ASSERT_EQ(difference(codegen::interpret(together, inputs, shapes, dims),
                             codegen::interpret(program, inputs, shapes, dims)),
                  0)
            << to_string(together);
        if (code) {
          ASSERT_LT(difference(execute(*code, inputs, shapes, dims), want), kTolerance) << pipeline;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RaggedFunctions, testing::Range<uint64_t>(0, kSeeds, 20));

}  // namespace
}  // namespace rondo::test
