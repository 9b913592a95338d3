// Whole models on several threads: the bits of one thread, whatever the cell, the sizes and the count; and
// where threads wait.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <algorithm>

#include "codegen/loops/interpreter.h"
#include "ir/arrays.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "support/error.h"
#include "tests/frontend/models.h"
#include "tests/support/execute.h"
#include "tests/support/together.h"

namespace rondo::test {
namespace {

constexpr int64_t kIn = 3;

struct Compiled {
  ir::Func func;
  codegen::CompileOptions options;

  Compiled(const Function& traced, const ir::DimValues& bound) {
    const Function f = bind_training(traced, false);
    func = passes::run_pipeline(passes::bind_dims(f.func, bound), f.pipeline);
    options.aliases = f.aliases(func);
  }
  ir::LoopProgram loops(int64_t threads) const {
    codegen::CompileOptions how = options;
    how.threads = threads;
    return codegen::lower(func, how);
  }
};

/// Runs the function with these dims on one thread and on several, bound: which of the dims are known before.
void expect_same_bits(const Function& function, const ir::DimValues& dims, const ir::DimValues& bound = {}) {
  const Compiled c(function, bound);
  const auto inputs = ir::random_inputs(c.func, dims, 5, ir::ids_in_range(c.func, dims));
  const auto shapes = ir::shapes_of(ir::evaluate(c.func, inputs, dims));
  const auto alone = execute(*codegen::compile(c.func, c.options), inputs, shapes, dims);
  for (const int64_t threads : {2, 7}) {
    SCOPED_TRACE(to_string(c.loops(threads)));
    codegen::interpret(c.loops(threads), inputs, shapes, dims);  // finds races
    EXPECT_EQ(ir::difference(execute(Together(c.func, c.options, threads), inputs, shapes, dims), alone), 0);
  }
}

template <class M>
Function training(const M& model, const SequenceOptions& options = {}) {
  const StepInput x{model.dtype(), {kIn}}, y{model.dtype(), {3}};
  return training_function(loss_function(model, x, y, mse, options), Adam{.clip_norm = 1});
}

template <class M>
void expect_same_bits_for_all(const M& model) {
  const StepInput x{model.dtype(), {kIn}};
  {
    SCOPED_TRACE("inference");
    expect_same_bits(run_function(model, x), {{"T", 5}, {"B", 1}}, {{"B", 1}});
    expect_same_bits(run_function(model, x), {{"T", 4}, {"B", 11}});
  }
  SCOPED_TRACE("training");
  expect_same_bits(training(model), {{"T", 3}, {"B", 9}});
}

TEST(Threads, LstmsGiveTheBitsOfOneThread) {
  expect_same_bits_for_all(CellModel<Lstm>(f32, 3, [](Model& m) { return Lstm(m, "cell", kIn, 48); }));
  const LstmOptions options{.gates = {.layer_norm = true}, .peepholes = true, .projection = 20};
  expect_same_bits_for_all(
      CellModel<Lstm>(f32, 3, [&](Model& m) { return Lstm(m, "cell", kIn, 37, options); }));
}

TEST(Threads, RowsOfNormsGiveTheBitsOfOneThread) {
  const LstmOptions options{.gates = {.layer_norm = true}};
  expect_same_bits_for_all(
      CellModel<Lstm>(f32, 3, [&](Model& m) { return Lstm(m, "cell", kIn, 48, options); }));
}

TEST(Threads, GrusGiveTheBitsOfOneThread) {
  expect_same_bits_for_all(CellModel<Gru>(f32, 3, [](Model& m) { return Gru(m, "cell", kIn, 33); }));
}

TEST(Threads, RnnsOfDoublesGiveTheBitsOfOneThread) {
  expect_same_bits_for_all(CellModel<Rnn>(f64, 3, [](Model& m) { return Rnn(m, "cell", kIn, 48); }));
}

TEST(Threads, KnownBatchesGiveTheBitsOfOneThread) {
  const CellModel<Lstm> model(f32, 3, [](Model& m) { return Lstm(m, "cell", kIn, 40); });
  for (const int64_t batch : {2, 7, 16})
    expect_same_bits(training(model), {{"T", 3}, {"B", batch}}, {{"B", batch}});
}

TEST(Threads, RowsOfDifferentLengthsGiveTheBitsOfOneThread) {
  const CellModel<Lstm> model(f32, 3, [](Model& m) { return Lstm(m, "cell", kIn, 24); });
  for (const int64_t batch : {1, 9})
    expect_same_bits(training(model, {.lengths = true}), {{"T", 6}, {"B", batch}});
}

/// h' = a h + (1 - a) g of the input alone: no product with the state.
struct Gated {
  struct State {
    Tensor h;
  };
  int64_t out = 40;
  Param wa, wg;
  explicit Gated(Model& m) : wa(m.param("wa", {kIn, 40})), wg(m.param("wg", {kIn, 40})) {}
  State initial(Dim batch) const { return {zeros({batch, out})}; }
  State operator()(const State& s, const Tensor& x) const {
    const Tensor a = sigmoid(matmul(x, wa));
    return {a * s.h + (1 - a) * tanh(matmul(x, wg))};
  }
};

TEST(Threads, RecurrencesByPointsGiveTheBitsOfOneThread) {
  const CellModel<Gated> model(f32, 3, [](Model& m) { return Gated(m); });
  expect_same_bits_for_all(model);
  Function chunks = training(model);
  chunks.pipeline += passes::kLinear;
  expect_same_bits(chunks, {{"T", 17}, {"B", 1}});
}

TEST(Threads, EmbeddingGradientsGiveTheBitsOfOneThread) {
  struct Ids : Model {
    Param table = param("table", {7, 32});
    Lstm cell{*this, "cell", 32, 20};
    Linear head{*this, "head", 20, 7};
    Lstm::State initial(Dim batch) const { return cell.initial(batch); }
    std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor id) const {
      auto next = cell(s, gather(table, id));
      return {next, head(next.h)};
    }
  } model;
  const Function loss = loss_function(model, {i32, {}}, {i32, {}}, CrossEntropy{});
  expect_same_bits(training_function(loss, Adam{}), {{"T", 4}, {"B", 5}});
}

/// How many waits there are in loops.
int64_t waits_in_loops(const std::vector<ir::Stmt>& stmts, bool in_loop = false) {
  int64_t count = 0;
  for (const ir::Stmt& s : stmts) {
    count += s.sync && in_loop;
    if (s.loop) count += waits_in_loops(s.loop->body, true);
  }
  return count;
}

TEST(Threads, WaitInNoStepWhereEachHasRowsOfItsOwn) {
  const CellModel<Lstm> lstm(f32, 3, [](Model& m) { return Lstm(m, "cell", kIn, 64); });
  const CellModel<Gru> gru(f32, 3, [](Model& m) { return Gru(m, "cell", kIn, 64); });
  const LstmOptions options{.gates = {.layer_norm = true}};
  const CellModel<Lstm> normalised(f32, 3, [&](Model& m) { return Lstm(m, "cell", kIn, 64, options); });
  const std::pair<Function, ir::DimValues> cases[] = {
      {training(lstm), {}},
      {training(lstm), {{"B", 16}}},
      {training(gru), {}},
      {run_function(gru, {f32, {kIn}}), {{"B", 50}}},
      {run_function(normalised, {f32, {kIn}}), {}},
      {run_function(normalised, {f32, {kIn}}), {{"B", 16}}},
  };
  for (const auto& [function, bound] : cases) {
    const ir::LoopProgram loops = Compiled(function, bound).loops(2);
    EXPECT_EQ(waits_in_loops(loops.stmts), 0) << to_string(loops);
  }
}

TEST(Threads, WaitOnceAStepWhereAllNeedTheWholeState) {
  const CellModel<Lstm> lstm(f32, 3, [](Model& m) { return Lstm(m, "cell", kIn, 64); });
  const ir::LoopProgram loops = Compiled(run_function(lstm, {f32, {kIn}}), {{"B", 1}}).loops(2);
  EXPECT_EQ(waits_in_loops(loops.stmts), 1) << to_string(loops);
}

TEST(Threads, WaitOnceAStepOfTheGradientToo) {
  const CellModel<Lstm> lstm(f32, 3, [](Model& m) { return Lstm(m, "cell", kIn, 64); });
  const ir::LoopProgram loops = Compiled(training(lstm), {{"B", 1}}).loops(2);
  EXPECT_EQ(waits_in_loops(loops.stmts), 2) << to_string(loops);  // in a loop forward, and one back
  expect_same_bits(training(lstm), {{"T", 3}, {"B", 1}}, {{"B", 1}});
}

TEST(Threads, WaitOnceAStepWhereFewRowsReadManyWeights) {
  const CellModel<Lstm> lstm(f32, 3, [](Model& m) { return Lstm(m, "cell", kIn, 256); });
  const Function run = run_function(lstm, {f32, {kIn}});
  const ir::LoopProgram few = Compiled(run, {{"B", 16}}).loops(2), many = Compiled(run, {{"B", 24}}).loops(2);
  EXPECT_EQ(waits_in_loops(few.stmts), 1) << to_string(few);
  EXPECT_EQ(waits_in_loops(many.stmts), 0) << to_string(many);
  expect_same_bits(run, {{"T", 2}, {"B", 12}}, {{"B", 12}});
}

TEST(Threads, LongCallsOfAProgramRunOnThem) {
  const CellModel<Lstm> model(f32, 3, [](Model& m) { return Lstm(m, "cell", kIn, 64); });
  const Weights weights = model.init(1);
  const Function function = run_function(model, {f32, {kIn}});
  Program one = compile(function, weights), two = compile(function, weights, {.threads = 2});
  for (const int64_t steps : {1, 50}) {
    for (Program* p : {&one, &two}) {
      p->resize({{"T", steps}, {"B", 24}});
      std::ranges::fill(p->f32("x"), 0.5f);
      p->run();
    }
    EXPECT_TRUE(std::ranges::equal(one.f32("y"), two.f32("y")));
  }
}

TEST(Threads, CountsAreChecked) {
  const CellModel<Rnn> model(f32, 3, [](Model& m) { return Rnn(m, "cell", kIn, 8); });
  for (const int64_t threads : {-1, 0, 257}) {
    try {
      compile(run_function(model, {f32, {kIn}}), model.init(1), {.threads = threads});
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()),
                "rondo: run: " + std::to_string(threads) + " threads are not in [1,256]");
    }
  }
}

}  // namespace
}  // namespace rondo::test
