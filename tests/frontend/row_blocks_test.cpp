// Training steps of many rows in blocks of them: which ones are, and that they compute the same.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "ir/arrays.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tests/frontend/models.h"
#include "tests/support/execute.h"
#include "tests/support/together.h"

namespace rondo::test {
namespace {

template <class Cell>
using Make = std::function<Cell(Model&, int64_t hidden)>;

const Make<Lstm> kLstm = [](Model& m, int64_t hidden) { return Lstm(m, "cell", hidden, hidden); };
const Make<Lstm> kNormed = [](Model& m, int64_t hidden) {
  return Lstm(m, "cell", hidden, hidden, {.gates = {.layer_norm = true}});
};

/// The gradients by the parameters and the input of a cell with an output layer.
template <class Cell>
Function gradients(const Make<Cell>& make, int64_t hidden) {
  const CellModel<Cell> model(f32, 3, [&](Model& m) { return make(m, hidden); });
  const StepInput x{f32, {hidden}}, y{f32, {3}};
  return gradient(loss_function(model, x, y, mse), {.wrt = {"cell.wx", "cell.wh", "cell.b", "x"}});
}

ir::Func for_rows(const Function& f, std::optional<int64_t> rows, const std::string& more = "") {
  const ir::Func bound = rows ? passes::bind_dims(f.func, {{"B", *rows}}) : f.func;
  return passes::run_pipeline(bound, f.pipeline + more);
}

/// The rows of a block that the compiler chooses; 0: none.
template <class Cell>
int64_t chosen(const Make<Cell>& make, int64_t hidden, std::optional<int64_t> rows) {
  const std::string text = ir::print(for_rows(gradients(make, hidden), rows));
  const std::string begin = fmt::format("windows(window_{}, ", rows ? std::to_string(*rows) : "B");
  const size_t at = text.find(begin);
  return at == std::string::npos ? 0 : std::stoll(text.substr(at + begin.size()));
}

TEST(RowBlocks, FillTheThirdCacheAndDivideTheRows) {
  EXPECT_EQ(chosen(kNormed, 64, 64), 32);
  EXPECT_EQ(chosen(kNormed, 64, 32), 0);
  EXPECT_EQ(chosen(kLstm, 64, 64), 0);
  EXPECT_EQ(chosen(kLstm, 64, 96), 48);
  EXPECT_EQ(chosen(kLstm, 64, 256), 64);
  EXPECT_EQ(chosen(kLstm, 64, 251), 0);
  EXPECT_EQ(chosen(kLstm, 128, 64), 0);
  EXPECT_EQ(chosen(kLstm, 128, 256), 64);
  EXPECT_EQ(chosen(kLstm, 256, 256), 64);
  EXPECT_EQ(chosen(kLstm, 512, 256), 128);
  EXPECT_EQ(chosen(kLstm, 1024, 1024), 0);  // matrices that fill the third cache
  EXPECT_EQ(chosen(kLstm, 64, std::nullopt), 0);
}

/// Only the rows that still take part are computed, wherever they are.
TEST(RowBlocks, LeaveAloneRowsOfLengths) {
  struct Sequence : Model {
    Lstm cell{*this, "cell", 64, 64};
  } model;
  auto text = [&](bool with_lengths) {
    const Function loss("loss", model, [&](Trace& t) {
      const Tensor x = t.input("x", {"T", 512, 64});
      ScanOptions options;
      if (with_lengths) options.lengths = t.input("lengths", i32, {512});
      const auto step = [&](const Lstm::State& s, Tensor xt) {
        const Lstm::State next = model.cell(s, xt);
        return std::pair(next, next.h);
      };
      t.output("loss", mean(square(scan(model.cell.initial(512), x, step, options).second)));
    });
    const Function f = gradient(loss);
    return ir::print(passes::run_pipeline(f.func, f.pipeline));
  };
  EXPECT_NE(text(false).find("windows(window_512, 64)"), std::string::npos);
  EXPECT_EQ(text(true).find("windows("), std::string::npos);
}

/// Products large enough for blocks of terms, in blocks of so many rows, by one thread and by several.
template <class Cell>
void expect_same(const Make<Cell>& make, int64_t rows, int64_t block) {
  constexpr int64_t kHidden = 36;
  SCOPED_TRACE(fmt::format("{} of {} rows", block, rows));
  const Function f = gradients(make, kHidden);
  const ir::Func whole = for_rows(f, rows),
                 blocks = for_rows(f, rows, fmt::format(",tile-rows{{rows={}}}", block));
  ASSERT_NE(ir::print(whole), ir::print(blocks));
  const ir::DimValues dims = {{"T", 21}, {"B", rows}};
  const auto inputs = ir::random_inputs(f.func, dims, 5);
  const auto want = ir::evaluate(whole, inputs, dims);
  const auto shapes = ir::shapes_of(want);
  const auto plain = execute(*codegen::compile(whole), inputs, shapes, dims);
  const auto got = execute(*codegen::compile(blocks), inputs, shapes, dims);
  EXPECT_LT(ir::difference(got, want), 1e-5);
  // Those of the input are of each row.
  EXPECT_EQ(got.back().data, plain.back().data);
  for (const int64_t threads : {2, 3})
    EXPECT_EQ(ir::difference(execute(Together(blocks, {}, threads), inputs, shapes, dims), got), 0)
        << threads;
}

TEST(RowBlocks, ComputeWhatAllRowsDo) {
  expect_same(kLstm, 24, 8);
  expect_same(kLstm, 20, 16);
  expect_same(kNormed, 48, 12);
  expect_same(kNormed, 9, 4);
  expect_same<Gru>([](Model& m, int64_t hidden) { return Gru(m, "cell", hidden, hidden); }, 10, 4);
}

TEST(RowBlocks, HoldSequencesOfABlockOnly) {
  const Function f = gradients(kNormed, 64);
  auto bytes = [&](const ir::Func& func) {
    return codegen::scratch_bytes(codegen::lower(func), {{"T", 50}});
  };
  const int64_t whole = bytes(for_rows(f, 32)), blocks = bytes(for_rows(f, 256));
  EXPECT_LT(blocks, whole + whole / 10);
}

/// Rows that come in an order which another input gives stay together.
TEST(RowBlocks, LeaveAloneWhatMixesRows) {
  struct Mixed : Model {
    Gru cell{*this, "cell", 4, 4};
  } model;
  const Function loss("mixed", model, [&](Trace& t) {
    const Tensor x = t.input("x", {"T", 8, 4}), order = t.input("order", i32, {8});
    const auto ys = scan(model.cell.initial(8), x, [&](Gru::State s, Tensor xt) {
                      s.h = gather(s.h, order);
                      const Gru::State next = model.cell(s, xt);
                      return std::pair(next, next.h);
                    }).second;
    t.output("loss", mean(square(ys)));
  });
  const Function f = gradient(loss);
  EXPECT_EQ(ir::print(passes::run_pipeline(f.func, f.pipeline)),
            ir::print(passes::run_pipeline(f.func, f.pipeline + ",tile-rows{rows=4}")));
}

}  // namespace
}  // namespace rondo::test
