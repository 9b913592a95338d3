// Language models over many symbols: what their training steps leave unstored and untouched, and that this
// changes nothing else.
#include <gtest/gtest.h>

#include <rondo/rondo.h>

#include "ir/arrays.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tests/frontend/reference.h"
#include "tests/runtime/util.h"
#include "tests/support/execute.h"
#include "tests/support/together.h"

namespace rondo::test {
namespace {

constexpr int64_t kSymbols = 5000, kSteps = 90, kBatch = 8;  // more rows than a block

struct WordModel : Model {
  Embedding embedding;
  Rnn cell;
  Linear head;
  explicit WordModel(DType dtype = f32) : Model(dtype) {
    embedding = Embedding(*this, "embedding", kSymbols, 5);
    cell = Rnn(*this, "cell", 5, 6);
    head = Linear(*this, "head", 6, kSymbols);
  }
  Rnn::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<Rnn::State, Tensor> step(const Rnn::State& s, Tensor id) const {
    const Rnn::State next = cell(s, embedding(id));
    return {next, head(next.h)};
  }
};

Function loss_of(const WordModel& model) { return loss_function(model, {}, {}, softmax_cross_entropy); }

std::vector<int32_t> random_ids(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<int32_t> ids(static_cast<size_t>(n));
  for (int32_t& id : ids) id = static_cast<int32_t>(random.bits() % kSymbols);
  return ids;
}

void set_ids(Program& program) {
  for (const std::string& dim : program.signature().dims)
    program.resize({{dim, dim == "T" ? kSteps : kBatch}});
  program.set("x", random_ids(kSteps * kBatch, 1));
  program.set("target", random_ids(kSteps * kBatch, 2));
}

/// The function without a pass that stands in its pipeline after `grad`.
Function without(Function function, std::string_view pass) {
  const std::string text = "," + std::string(pass);
  const size_t at = function.pipeline.find(text);
  EXPECT_NE(at, std::string::npos) << function.pipeline;
  function.pipeline.erase(at, text.size());
  return function;
}

std::vector<double> result(const Program& program, const std::string& name) {
  const auto& outputs = program.signature().outputs;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].name == name) return array_of(program.output(i)).data;
  ADD_FAILURE() << "no output " << name;
  return {};
}

TEST(WideOutput, IsNotStoredWholeAndRowsKeepTheirBits) {
  const WordModel model;
  const Weights weights = model.init(1);
  const Function whole = without(gradient(loss_of(model)), "tile-sequences");
  for (const BuildOptions& options : {BuildOptions{}, {.dims = {{"B", kBatch}}}}) {
    Program tiled = compile(whole, weights, options);
    Program stored = compile(without(whole, "tile-outputs"), weights, options);
    set_ids(tiled), set_ids(stored);
    tiled.run(), stored.run();
    const size_t logits = kSteps * kBatch * kSymbols * sizeof(float);
    EXPECT_GT(stored.memory_bytes(), logits);
    EXPECT_LT(tiled.memory_bytes(), stored.memory_bytes() - logits / 4);
    for (const char* name : {"loss", "d_embedding.table", "d_cell.wx", "d_cell.wh", "d_cell.b"})
      EXPECT_EQ(result(tiled, name), result(stored, name)) << name;
    for (const char* name : {"d_head.w", "d_head.b"}) {
      const auto have = result(tiled, name), want = result(stored, name);
      for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(have[i], want[i], 2e-6) << name << " " << i;
    }
  }
}

TEST(WideOutput, TrainsAsTheEvaluatorSays) {
  const WordModel model;
  const Weights weights = model.init(1);
  const Function training =
      training_function(loss_of(model), Adagrad{.lr = 0.1, .eps = 0.01, .clip_norm = 0.5});
  Reference reference(training, weights);
  const auto as_double = [](const std::vector<int32_t>& ids) {
    return std::vector<double>(ids.begin(), ids.end());
  };
  reference.set("x", {kSteps, kBatch}, as_double(random_ids(kSteps * kBatch, 1)));
  reference.set("target", {kSteps, kBatch}, as_double(random_ids(kSteps * kBatch, 2)));
  Program program = compile(training, weights);
  set_ids(program);
  for (int update = 0; update < 2; ++update) {
    program.run();
    reference.run();
    EXPECT_NEAR(program.f32("loss")[0], reference.scalar("loss"), 1e-5);
    for (const Param& p : model.params()) {
      const auto have = array_of(program.weights().at(p.name())).data, want = reference.at(p.name()).data;
      for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(have[i], want[i], 1e-5) << p.name() << " " << i;
    }
  }
}

TEST(WideOutput, HasTheBitsOfOneThreadOnSeveral) {
  const WordModel model;
  const Function training = training_function(loss_of(model), Sgd{.lr = 0.1});
  const ir::DimValues dims = {{"T", kSteps}, {"B", kBatch}};
  for (const ir::DimValues& bound : {ir::DimValues{}, {{"B", kBatch}}}) {
    const ir::Func func = passes::run_pipeline(passes::bind_dims(training.func, bound), training.pipeline);
    codegen::CompileOptions options;
    options.aliases = training.aliases(func);
    const auto inputs = ir::random_inputs(func, dims, 5, kSymbols);
    const auto shapes = ir::shapes_of(ir::evaluate(func, inputs, dims));
    const auto alone = execute(*codegen::compile(func, options), inputs, shapes, dims);
    const Together together(func, options, 2);
    EXPECT_EQ(ir::difference(execute(together, inputs, shapes, dims), alone), 0);
  }
}

/// Two updates of the model over a table of many words, as the evaluator does them, and as they are compiled
/// with and without the pass.
struct Updates {
  static constexpr int64_t kWords = 9000;
  struct Words : Model {
    Embedding embedding;
    Rnn cell;
    Linear head;
    Words() {
      embedding = Embedding(*this, "embedding", kWords, 24);
      cell = Rnn(*this, "cell", 24, 6);
      head = Linear(*this, "head", 6, 7);
    }
    Rnn::State initial(Dim batch) const { return cell.initial(batch); }
    std::pair<Rnn::State, Tensor> step(const Rnn::State& s, Tensor id) const {
      const Rnn::State next = cell(s, embedding(id));
      return {next, head(next.h)};
    }
  } model;
  Function loss = loss_function(model, {}, {}, softmax_cross_entropy);

  /// Looks up few words, and most of them more than once.
  static void run(Program& program) {
    program.resize({{"T", 9}, {"B", 4}});
    std::vector<int32_t> ids = random_ids(36, 3), targets = random_ids(36, 4);
    for (size_t i = 0; i < ids.size(); ++i)
      ids[i] = i % 3 ? ids[i] % 8 : kWords - 1 - ids[i] % 8, targets[i] %= 7;
    program.set("x", ids);
    program.set("target", targets);
    for (int update = 0; update < 3; ++update) program.run();
  }
};

/// Bytes of a table of gradients.
constexpr size_t kTableBytes = Updates::kWords * 24 * sizeof(float);

template <class O>
void expect_same_updates(const O& optimizer, int64_t threads, bool saves) {
  const Updates updates;
  const Function training = training_function(updates.loss, optimizer);
  const Weights mine = updates.model.init(1), other = updates.model.init(1);
  Program rows = compile(training, mine, {.threads = threads});
  Program tables = compile(without(training, "used-rows"), other);
  Updates::run(rows), Updates::run(tables);
  EXPECT_EQ(rows.memory_bytes() + kTableBytes / 2 < tables.memory_bytes(), saves);
  for (const auto& [name, buffer] : tables.weights().all())
    EXPECT_EQ(array_of(rows.weights().at(name)).data, array_of(buffer).data) << name;
}

TEST(UsedRows, HaveTheBitsOfTheWholeTablesUpdate) {
  expect_same_updates(Sgd{.lr = 0.3, .clip_value = 0.01}, 1, true);
  expect_same_updates(Adagrad{.lr = 0.3}, 1, true);
  expect_same_updates(Adagrad{.lr = 0.3, .initial = 0.1}, 2, true);
}

TEST(UsedRows, AreNotAllThatOtherRulesChange) {
  expect_same_updates(Sgd{.lr = 0.3, .momentum = 0.9}, 1, false);
  expect_same_updates(Sgd{.lr = 0.3, .weight_decay = 0.1}, 1, false);
  expect_same_updates(Adam{.lr = 0.01}, 1, false);
}

}  // namespace
}  // namespace rondo::test
