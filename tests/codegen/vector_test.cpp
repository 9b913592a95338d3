// The vector form against the interpreter.
#include <gtest/gtest.h>

#include "tests/codegen/loop_programs.h"

namespace rondo::test {
namespace {

using namespace ir;

const std::vector<int64_t> kSizes = {0, 1, 3, 7, 13, 16, 17, 31, 64, 65, 130};

/// out = op(in...) over n elements.
LoopProgram pointwise(ScalarOp op, DType result, const std::vector<DType>& args, Poly n,
                      std::vector<std::string> dims = {}) {
  Loops l(std::move(dims));
  Kernel k;
  k.name = "pointwise";
  k.dims = {n};
  Expr e(k.nodes);
  std::vector<NodeId> ids;
  for (DType t : args) ids.push_back(e.load(t, l.input(t, n), {1}));
  NodeId value = e.apply(op, result, ids);
  k.stores = {store(l.output(result, n), value, {1})};
  l.add(k);
  return l.program;
}

TEST(Vector, EveryPointwiseOp) {
  struct Row {
    ScalarOp op;
    DType result;
    std::vector<DType> args;
  };
  std::vector<Row> rows;
  for (DType t : {DType::f32, DType::f64}) {
    for (ScalarOp op : {ScalarOp::neg, ScalarOp::exp, ScalarOp::log, ScalarOp::tanh, ScalarOp::sigmoid,
                        ScalarOp::sqrt, ScalarOp::rsqrt, ScalarOp::abs, ScalarOp::cos, ScalarOp::floor})
      rows.push_back({op, t, {t}});
    for (ScalarOp op :
         {ScalarOp::add, ScalarOp::sub, ScalarOp::mul, ScalarOp::div, ScalarOp::max, ScalarOp::min})
      rows.push_back({op, t, {t, t}});
    rows.push_back({ScalarOp::less, DType::pred, {t, t}});
    rows.push_back({ScalarOp::equal, DType::pred, {t, t}});
    rows.push_back({ScalarOp::fma, t, {t, t, t}});
    rows.push_back({ScalarOp::select, t, {DType::pred, t, t}});
    rows.push_back({ScalarOp::random, t, {DType::i32, DType::i32, DType::i32}});
    for (DType from : {DType::f32, DType::f64, DType::i32, DType::pred})
      rows.push_back({ScalarOp::cast, t, {from}});
  }
  for (ScalarOp op : {ScalarOp::neg, ScalarOp::abs}) rows.push_back({op, DType::i32, {DType::i32}});
  for (ScalarOp op :
       {ScalarOp::add, ScalarOp::sub, ScalarOp::mul, ScalarOp::div, ScalarOp::max, ScalarOp::min})
    rows.push_back({op, DType::i32, {DType::i32, DType::i32}});
  for (DType from : {DType::f32, DType::f64, DType::pred})
    rows.push_back({ScalarOp::cast, DType::i32, {from}});
  for (DType from : {DType::f32, DType::f64, DType::i32})
    rows.push_back({ScalarOp::cast, DType::pred, {from}});
  rows.push_back({ScalarOp::equal, DType::pred, {DType::i32, DType::i32}});
  rows.push_back({ScalarOp::equal, DType::pred, {DType::pred, DType::pred}});
  rows.push_back({ScalarOp::less, DType::pred, {DType::i32, DType::i32}});
  for (const codegen::Target& target : targets())
    for (const Row& r : rows) {
      SCOPED_TRACE("op " + std::to_string(static_cast<int>(r.op)) + " on " + target.cpu);
      bool narrow = r.result != DType::f64 || (r.args[0] == DType::f32 && r.op == ScalarOp::cast);
      expect_same(pointwise(r.op, r.result, r.args, 37), {}, narrow ? 1e-6 : 1e-15, target);
    }
}

TEST(Vector, Tails) {
  for (const codegen::Target& target : targets()) {
    LoopProgram named = pointwise(ScalarOp::tanh, DType::f32, {DType::f32}, Poly(Dim("N")), {"N"});
    LoopProgram predicate =
        pointwise(ScalarOp::less, DType::pred, {DType::f32, DType::f32}, Poly(Dim("N")), {"N"});
    for (int64_t n : kSizes) {
      expect_same(pointwise(ScalarOp::tanh, DType::f32, {DType::f32}, n), {}, 1e-6, target);
      expect_same(pointwise(ScalarOp::tanh, DType::f64, {DType::f64}, n), {}, 1e-15, target);
      expect_same(pointwise(ScalarOp::select, DType::i32, {DType::pred, DType::i32, DType::i32}, n), {}, 0,
                  target);
    }
    std::vector<DimValues> dims;
    for (int64_t n = 0; n <= kSizes.back(); ++n) dims.push_back({{"N", n}});
    expect_same_for_all(named, dims, 1e-6, target);
    expect_same_for_all(predicate, dims, 0, target);
  }
}

/// out[T,B,H] = in[T,B,H] * row[H] + column[B], T and B named.
LoopProgram broadcasts(int64_t h) {
  Loops l({"T", "B"});
  Poly t = Dim("T"), b = Dim("B");
  Kernel k;
  k.name = "broadcasts";
  k.dims = {t, b, h};
  Expr e(k.nodes);
  std::vector<Poly> dense = {b * Poly(h), h, 1};
  NodeId x = e.load(DType::f32, l.input(DType::f32, t * b * Poly(h)), dense);
  NodeId row = e.load(DType::f32, l.input(DType::f32, h), {0, 0, 1});
  NodeId column = e.load(DType::f32, l.input(DType::f32, b), {0, 1, 0});
  NodeId y = e.apply(ScalarOp::add, DType::f32, {e.apply(ScalarOp::mul, DType::f32, {x, row}), column});
  NodeId number = e.index(DType::f32, {100, 10, 1}, 5);
  k.stores = {store(l.output(DType::f32, t * b * Poly(h)), y, dense),
              store(l.output(DType::f32, t * b * Poly(h)), number, dense)};
  l.add(k);
  return l.program;
}

TEST(Vector, Broadcasts) {
  for (int64_t h : {1, 2, 5, 16, 33})
    expect_same_for_all(broadcasts(h), {{{"T", 3}, {"B", 1}}, {{"T", 3}, {"B", 4}}});
}

TEST(Vector, Transposes) {
  for (int64_t n : {1, 5, 17, 40}) {
    Loops l;
    int64_t m = 19;
    Kernel k;
    k.name = "transpose";
    k.dims = {n, m};
    Expr e(k.nodes);
    NodeId x = e.load(DType::f32, l.input(DType::f32, n * m), {1, n});
    k.stores = {store(l.output(DType::f32, n * m), x, {m, 1}),
                store(l.output(DType::f32, n * m * 2), x, {2 * m, 2})};
    Kernel zero;
    zero.name = "zero";
    zero.dims = {n * m * 2};
    Expr z(zero.nodes);
    zero.stores = {store(k.stores[1].access.buffer, z.constant(DType::f32, 0), {1})};
    l.add(zero);
    l.add(k);
    for (const codegen::Target& target : targets()) expect_same(l.program, {}, 0, target);
  }
}

TEST(Vector, NoDims) {
  Loops l;
  Kernel k;
  k.name = "scalar";
  Expr e(k.nodes);
  k.stores = {store(l.output(DType::f32, 1),
                    e.apply(ScalarOp::tanh, DType::f32, {e.load(DType::f32, l.input(DType::f32, 1), {})}),
                    {})};
  l.add(k);
  for (const codegen::Target& target : targets()) expect_same(l.program, {}, 1e-6, target);
}

/// out[m] reduces in[m,k] (or in[k,m] if `across`) by the accumulator.
LoopProgram reduction(AccKind kind, DType t, bool lanes, bool across, Poly m, Poly n,
                      std::vector<std::string> dims = {}) {
  Loops l(std::move(dims));
  Kernel k;
  k.name = "reduction";
  k.dims = {m};
  Accumulator a;
  a.kind = kind;
  a.dtype = t;
  a.order = lanes ? SumOrder::lanes : SumOrder::chain;
  a.dims = {n};
  Expr term(a.nodes);
  BufferId in = l.input(t, m * n);
  a.value = term.load(t, in, across ? std::vector<Poly>{1, m} : std::vector<Poly>{n, 1});
  k.accs = {a};
  DType result = kind == AccKind::argmax ? DType::i32 : t;
  Expr e(k.nodes);
  k.stores = {store(l.output(result, m), e.acc(result, 0), {1})};
  l.add(k);
  return l.program;
}

TEST(Vector, Reductions) {
  for (const codegen::Target& target : targets())
    for (AccKind kind : {AccKind::sum, AccKind::max, AccKind::argmax})
      for (DType t : {DType::f32, DType::f64, DType::i32})
        for (bool across : {false, true})
          for (bool lanes : {false, true}) {
            if (lanes && kind != AccKind::sum) continue;
            LoopProgram named = reduction(kind, t, lanes, across, Poly(Dim("M")), Poly(Dim("N")), {"M", "N"});
            std::vector<DimValues> dims;
            for (int64_t n : {0, 1, 15, 65})
              for (int64_t m : {1, 3, 100}) dims.push_back({{"M", m}, {"N", n}});
            expect_same_for_all(named, dims, 1e-5, target);
            expect_same(reduction(kind, t, lanes, across, 5, 33), {}, 1e-5, target);
          }
}

/// Sums over rows, several in one walk, of runs of columns of any length.
TEST(Vector, ColumnSums) {
  for (const codegen::Target& target : targets())
    for (int64_t sums : {1, 2, 3, 5, 6, 17})
      for (int64_t columns : {64, 80, 100, 256, 300}) {
        Loops l;
        Kernel k;
        k.name = "column_sums";
        k.dims = {columns};
        k.accs.resize(static_cast<size_t>(sums));
        for (Accumulator& a : k.accs) {
          a.dims = {7};
          Expr t(a.nodes);
          a.value = t.load(DType::f32, l.input(DType::f32, columns * 7), {1, columns});
        }
        Expr e(k.nodes);
        for (uint32_t i = 0; i < k.accs.size(); ++i)
          k.stores.push_back(store(l.output(DType::f32, columns), e.acc(DType::f32, i), {1}));
        l.add(k);
        SCOPED_TRACE(std::to_string(sums) + " sums of " + std::to_string(columns) + " on " + target.cpu);
        expect_same(l.program, {}, 1e-5, target);
      }
}

/// The order of a sum in lanes, spelled out in f32: of one row and of several at a time, whole vectors in
/// both chains and what is left of them in either, of numbers that are known and that are named.
TEST(Vector, LanesOfASum) {
  for (const int64_t rows : {1, 6})
    for (const int64_t n : {5, 16, 21, 32, 37, 53, 64, 80, 96, 257}) {
      const LoopProgram p = reduction(AccKind::sum, DType::f32, true, false, rows, n);
      const LoopProgram named = reduction(AccKind::sum, DType::f32, true, false, rows, Dim("N"), {"N"});
      const std::vector<Array> inputs = random_inputs(p, {});
      std::vector<double> sums;
      for (int64_t r = 0; r < rows; ++r) {
        float partial[32] = {};
        for (int64_t i = 0; i < n; ++i) partial[i % 32] += static_cast<float>(inputs[0].data[r * n + i]);
        for (int width = 16; width > 0; width /= 2)
          for (int i = 0; i < width; ++i) partial[i] += partial[i + width];
        sums.push_back(partial[0]);
      }
      for (const codegen::Target& target : targets()) {
        EXPECT_EQ(run_native(p, inputs, {}, target)[0].data, sums) << rows << ' ' << n;
        EXPECT_EQ(run_native(named, inputs, {{"N", n}}, target)[0].data, sums) << rows << ' ' << n;
      }
    }
}

TEST(Vector, FirstOfEqualMaxima) {
  for (bool across : {false, true}) {
    LoopProgram p = reduction(AccKind::argmax, DType::f32, false, across, 2, 40);
    std::vector<Array> inputs = {Array{DType::f32, {80}, std::vector<double>(80, 1)}};
    EXPECT_EQ(run_native(p, inputs, {})[0].data, (std::vector<double>{0, 0}));
    for (int64_t at : {17, 18, 33}) inputs[0].data[across ? at * 2 : at] = 2;
    EXPECT_EQ(run_native(p, inputs, {})[0].data, (std::vector<double>{17, 0}));
  }
}

/// out[i,:] = table[ids[i],:], and table2[ids[i],:] += in[i,:], with ids out of range clamped.
TEST(Vector, GatherAndScatter) {
  for (int64_t width : {1, 5, 16, 40}) {
    Loops l({"N"});
    Poly n = Dim("N");
    int64_t rows = 7;
    BufferId table = l.input(DType::f32, rows * width), ids = l.input(DType::i32, n),
             updates = l.input(DType::f32, n * Poly(width));
    BufferId gathered = l.output(DType::f32, n * Poly(width)), summed = l.output(DType::f32, rows * width);
    Kernel zero;
    zero.name = "zero";
    zero.dims = {rows * width};
    Expr z(zero.nodes);
    zero.stores = {store(summed, z.constant(DType::f32, 0), {1})};
    l.add(zero);
    Kernel gather;
    gather.name = "gather";
    gather.dims = {n, width};
    Expr g(gather.nodes);
    NodeId id = g.load(DType::i32, ids, {1, 0});
    gather.stores = {store(gathered, g.row(DType::f32, table, id, width, rows, {0, 1}), {width, 1})};
    l.add(gather);
    Kernel scatter = gather;
    scatter.name = "scatter";
    scatter.nodes.clear();
    Expr s(scatter.nodes);
    NodeId row = s.load(DType::i32, ids, {1, 0});
    scatter.stores = {store(summed, s.load(DType::f32, updates, {width, 1}), {0, 1})};
    scatter.stores[0].add = true;
    scatter.stores[0].access.row = row;
    scatter.stores[0].access.row_stride = width;
    scatter.stores[0].access.rows = rows;
    l.add(scatter);
    for (const codegen::Target& target : targets())
      expect_same_for_all(l.program, {{{"N", 0}}, {{"N", 1}}, {{"N", 30}}}, 1e-5, target);
  }
}

/// s[t+1] = s[t] * 0.5 + x[t], forward and backward in time.
TEST(Vector, Loops) {
  for (bool reverse : {false, true}) {
    Loops l({"T"});
    Poly t = Dim("T");
    int64_t h = 19;
    BufferId x = l.input(DType::f32, t * Poly(h)), ys = l.output(DType::f32, t * Poly(h)),
             state = l.scratch(DType::f32, h);
    Kernel init;
    init.name = "init";
    init.dims = {h};
    Expr i(init.nodes);
    init.stores = {store(state, i.constant(DType::f32, 1), {1})};
    l.add(init);
    Kernel step;
    step.name = "step";
    step.dims = {h};
    Expr e(step.nodes);
    NodeId now = e.load(DType::f32, x, {1});
    step.nodes[now].access.outer = {{0, h}};
    NodeId half =
        e.apply(ScalarOp::mul, DType::f32, {e.load(DType::f32, state, {1}), e.constant(DType::f32, 0.5)});
    NodeId next = e.apply(ScalarOp::add, DType::f32, {half, now});
    step.stores = {store(state, next, {1}), store(ys, next, {1})};
    step.stores[1].access.outer = {{0, h}};
    auto loop = std::make_shared<Loop>();
    loop->trip = t;
    loop->reverse = reverse;
    loop->body = {{std::make_shared<Kernel>(step), nullptr, nullptr}};
    l.program.stmts.push_back({nullptr, loop, nullptr});
    expect_same_for_all(l.program, {{{"T", 0}}, {{"T", 1}}, {{"T", 9}}});
  }
}

}  // namespace
}  // namespace rondo::test
