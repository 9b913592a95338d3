// The gemm form against the interpreter, and its variants against each other to the bit.
#include <gtest/gtest.h>

#include <cmath>

#include "codegen/kernels/schedule_gemm.h"
#include "tests/codegen/loop_programs.h"

namespace rondo::test {
namespace {

using namespace ir;
using codegen::Target;

enum class Variant { vector, direct, packed, blocked, row, packed_row };

struct Shape {
  Poly m, n, k;
  uint32_t gates = 1;
  uint32_t groups = 1;
  bool left_transposed = false, right_transposed = false;
  DType dtype = DType::f32;
  std::vector<std::string> dims = {};
  bool separate = false;  // each sum is an output of its own instead
  SumOrder order = SumOrder::chain;
};

/// out[m,n] = sum over gates g of (g + 1) * (left_1[m,:] right_1g[:,n] + left_2[m,:] right_2g[:,n]) +
/// bias[n].
LoopProgram product(const Shape& s, Variant variant, const Target& target) {
  Loops l(s.dims);
  auto kernel = std::make_shared<Kernel>();
  kernel->name = "product";
  kernel->dims = {s.m, s.n};
  Expr e(kernel->nodes);
  NodeId sum = e.load(s.dtype, l.input(s.dtype, s.n), {0, 1});
  uint32_t index = 0;
  for (uint32_t group = 0; group < s.groups; ++group) {
    BufferId left = l.input(s.dtype, s.m * s.k);
    for (uint32_t g = 0; g < s.gates; ++g) {
      Accumulator a;
      a.dtype = s.dtype;
      a.dims = {s.k};
      a.order = s.order;
      Expr t(a.nodes);
      NodeId x = t.load(s.dtype, left,
                        s.left_transposed ? std::vector<Poly>{1, 0, s.m} : std::vector<Poly>{s.k, 0, 1});
      BufferId right = l.input(s.dtype, s.k * s.n);
      NodeId y = t.load(s.dtype, right,
                        s.right_transposed ? std::vector<Poly>{0, s.k, 1} : std::vector<Poly>{0, 1, s.n});
      a.value = t.apply(ScalarOp::mul, s.dtype, {x, y});
      kernel->accs.push_back(a);
      NodeId scaled = e.apply(ScalarOp::mul, s.dtype, {e.acc(s.dtype, index++), e.constant(s.dtype, g + 1)});
      sum = e.apply(ScalarOp::add, s.dtype, {sum, scaled});
    }
  }
  std::vector<NodeId> values = {sum};
  if (s.separate) values.clear();
  for (uint32_t a = 0; s.separate && a < index; ++a) values.push_back(e.acc(s.dtype, a));
  for (NodeId value : values) kernel->stores.push_back(store(l.output(s.dtype, s.m * s.n), value, {s.n, 1}));
  EXPECT_TRUE(codegen::is_gemm(*kernel));
  Schedule& schedule = kernel->schedule;
  if (variant != Variant::vector) schedule.form = Schedule::Form::gemm;
  if (variant == Variant::row || variant == Variant::packed_row) schedule.form = Schedule::Form::row;
  size_t groups = codegen::gemm_groups(*kernel).size();
  EXPECT_EQ(groups, s.groups);
  if (variant == Variant::packed || variant == Variant::packed_row) {
    for (uint32_t g = 0; g < groups; ++g)
      schedule.packed.push_back(l.scratch(s.dtype, codegen::packed_size(*kernel, g, target)));
    for (uint32_t g = 0; g < groups; ++g)
      l.program.stmts.push_back({nullptr, nullptr, std::make_shared<Pack>(Pack{kernel, g})});
  }
  if (variant == Variant::blocked) {
    schedule.block = true;
    schedule.workspace = l.scratch(s.dtype, codegen::gemm_scratch_size(*kernel, target));
  }
  l.program.stmts.push_back({kernel, nullptr, nullptr});
  return l.program;
}

/// All variants compute what the interpreter does, and the same bits, with each of the dims.
void expect_product_in_order(const Shape& s, const std::vector<DimValues>& all, double tolerance) {
  ASSERT_FALSE(all.empty());
  if (s.dtype == DType::f64) tolerance *= 1e-8;
  const LoopProgram plain = product(s, Variant::vector, codegen::target_for());
  for (const Target& target : targets()) {
    const Native vector(plain, target);
    std::vector<Native> others;
    for (Variant v : {Variant::direct, Variant::packed, Variant::blocked, Variant::row, Variant::packed_row})
      if (v < Variant::row || s.m == Poly(1)) others.emplace_back(product(s, v, target), target);
    for (const DimValues& dims : all) {
      const std::vector<Array> inputs = random_inputs(plain, dims), first = vector.run(inputs, dims);
      expect_near(run_interpreted(plain, inputs, dims), first, tolerance);
      for (size_t v = 0; v < others.size(); ++v) {
        SCOPED_TRACE("variant " + std::to_string(v + 1) + " on " + target.cpu);
        const std::vector<Array> got = others[v].run(inputs, dims);
        for (size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].data, got[i].data) << "output " << i;
      }
    }
  }
}

/// In each order in which its terms may be summed.
void expect_product(Shape s, const std::vector<DimValues>& all = {{}}, double tolerance = 1e-4) {
  expect_product_in_order(s, all, tolerance);
  if (!s.k.is_constant() || s.k == Poly(1) || s.k.constant() > 64) return;
  for (const SumOrder order : {SumOrder::halves, SumOrder::quarters}) {
    s.order = order;
    expect_product_in_order(s, all, tolerance);
  }
}

/// Sums in parts, spelled out in f32: with two columns, which take no tiles, and with many.
void expect_parts(int64_t n, int64_t k, SumOrder order) {
  Shape s{3, n, k};
  s.separate = true;
  s.order = order;
  std::vector<LoopProgram> variants = {product(s, Variant::vector, codegen::target_for()),
                                       product(s, Variant::direct, codegen::target_for())};
  const std::vector<Array> inputs = random_inputs(variants[0], {});
  const std::vector<double>&left = inputs[1].data, &right = inputs[2].data;
  std::vector<double> sums;
  for (int64_t at = 0; at < 3 * n; ++at) {
    float parts[4] = {};
    for (int64_t i = 0; i < k; ++i) {
      float& part = parts[i % (order == SumOrder::halves ? 2 : 4)];
      part =
          std::fma(static_cast<float>(left[at / n * k + i]), static_cast<float>(right[i * n + at % n]), part);
    }
    sums.push_back((parts[0] + parts[2]) + (parts[1] + parts[3]));
  }
  for (const Target& target : targets()) {
    if (!target.fma) continue;
    for (const LoopProgram& p : variants)
      EXPECT_EQ(run_native(p, inputs, {}, target)[0].data, sums) << n << ' ' << k;
  }
}

TEST(Gemm, Parts) {
  for (const int64_t n : {2, 13, 16})
    for (const int64_t k : {4, 8, 13, 14, 15, 16, 31, 32})
      for (const SumOrder order : {SumOrder::halves, SumOrder::quarters}) expect_parts(n, k, order);
}

TEST(Gemm, Sizes) {
  for (int64_t n : {1, 5, 8, 16, 17, 70}) expect_product({5, n, 9});
  for (int64_t m : {1, 13})
    for (int64_t n : {1, 17, 70}) expect_product({m, n, 9});
  expect_product({31, 65, 1});
  expect_product({64, 64, 31});
}

TEST(Gemm, Gates) {
  for (uint32_t gates : {2, 3, 4}) expect_product({7, 33, 16, gates});
  expect_product({14, 40, 11, 4, 2});
  expect_product({1, 100, 20, 4});
}

/// Whole vectors, what is left of them, and runs of terms that do not divide their number.
TEST(Gemm, OneRow) {
  for (int64_t n : {4, 6, 8, 20, 32, 45, 64})
    for (int64_t k : {1, 2, 7, 64}) expect_product({1, n, k, 4, 2});
  expect_product({1, 96, 24, 3});
  expect_product({1, 48, 34, 4});
  expect_product({1, 24, 35, 2, 2, false, false, DType::f64});
  expect_product({1, 45, 30, 1, 1, true, true});
  expect_product({1, 24, 13, 4, 1, false, false, DType::f64});
}

/// The last block of columns: less than full, narrower, or wider by a shorter vector, and all of them in
/// blocks of terms; rows that make up no whole tile.
TEST(Gemm, LastBlocks) {
  for (int64_t n : {13, 65, 82}) expect_product({16, n, 20, 4});
  for (int64_t n : {3, 67, 97, 250}) expect_product({25, n, 21});
  for (uint32_t gates : {2, 3, 4}) expect_product({8, 35, 9, gates, 1, false, true});
  for (int64_t n : {49, 250}) expect_product({14, n, 600, 1, 1, true, true}, {{}}, 1e-3);
  expect_product({14, 21, 600, 4}, {{}}, 1e-3);
  Shape s{Poly(Dim("M")), 65, 20, 4, 1, false, false, DType::f32, {"M"}};
  expect_product(s, {{{"M", 0}}, {{"M", 1}}, {{"M", 11}}, {{"M", 30}}});
}

/// Tiles of a matrix of 8 MB ask for its next block of columns, behind the last one as well.
TEST(Gemm, FarMatrix) {
  const Shape s{Poly(Dim("M")), 2050, 1024, 1, 1, false, false, DType::f32, {"M"}};
  for (const Target& target : targets()) {
    const LoopProgram plain = product(s, Variant::vector, target);
    const Native vector(plain, target), packed(product(s, Variant::packed, target), target);
    for (const int64_t m : {2, 20}) {
      const std::vector<Array> inputs = random_inputs(plain, {{"M", m}});
      EXPECT_EQ(vector.run(inputs, {{"M", m}})[0].data, packed.run(inputs, {{"M", m}})[0].data);
    }
  }
}

/// Rows and vectors of a tile, and the tiles at the end with a row less.
std::vector<uint32_t> tile_of(const Shape& s, const Target& target) {
  const LoopProgram program = product(s, Variant::direct, target);
  const codegen::GemmTile tile = codegen::gemm_tile(*program.stmts.back().kernel, target);
  return {tile.rows, tile.vectors, tile.lower};
}

/// Few sums wait for each other: rows are not left to a tile of few, nor columns to vectors of few.
TEST(Gemm, Tiles) {
  using Tile = std::vector<uint32_t>;
  const Shape gates{16, 64, 40, 4}, many{64, 512, 40}, one_left{31, 128, 40}, few_rows{5, 64, 40},
      few_columns{16, 104, 40};
  for (const Shape& s : {gates, many, one_left, few_rows, few_columns}) expect_product(s, {{}}, 1e-3);
  const Target avx2 = codegen::target_for("x86-64-v3", "", "x86_64-linux-gnu"),
               avx512 = codegen::target_for("x86-64-v4", "", "x86_64-linux-gnu");
  EXPECT_EQ(tile_of(gates, avx2), (Tile{3, 1, 2}));
  EXPECT_EQ(tile_of(many, avx2), (Tile{3, 4, 2}));
  EXPECT_EQ(tile_of(few_rows, avx2), (Tile{5, 2, 0}));
  EXPECT_EQ(tile_of(few_columns, avx2), (Tile{6, 2, 0}));
  EXPECT_EQ(tile_of(gates, avx512), (Tile{6, 1, 0}));
  EXPECT_EQ(tile_of(one_left, avx512), (Tile{6, 4, 5}));
}

TEST(Gemm, NamedDims) {
  Shape s{Poly(Dim("M")), Poly(Dim("N")), Poly(Dim("K")), 2, 1, false, false, DType::f32, {"M", "N", "K"}};
  std::vector<DimValues> all = {{{"M", 3}, {"N", 64}, {"K", 0}}};
  for (int64_t m : {1, 5, 7, 13, 20})
    for (int64_t n : {1, 5, 8, 16, 17, 37, 70}) all.push_back({{"M", m}, {"N", n}, {"K", 13}});
  expect_product(s, all);
  s.n = 64;
  expect_product(s, {{{"M", 10}, {"N", 64}, {"K", 17}}});
}

TEST(Gemm, Transposed) {
  for (bool left : {false, true})
    for (bool right : {false, true}) expect_product({20, 34, 15, 1, 1, left, right});
}

TEST(Gemm, Doubles) {
  expect_product({9, 21, 12, 4, 1, false, false, DType::f64});
  expect_product({30, 40, 12, 1, 1, true, false, DType::f64});
}

/// More rows and terms than a block has; left operands whose terms are close, and read in place, or far
/// apart.
TEST(Gemm, Blocks) {
  expect_product({120, 70, 300, 1, 1, true, false}, {{}}, 1e-3);
  expect_product({1030, 18, 258, 1, 1, true, false}, {{}}, 1e-3);
  expect_product({3, 18, 520, 2, 2}, {{}}, 1e-3);
}

/// All terms of a partial sum are in one block, however small blocks are meant to be.
TEST(Gemm, BlocksOfHalves) {
  Shape s{30, 70, 300, 1, 2};
  s.order = SumOrder::halves;
  expect_product_in_order(s, {{}}, 1e-3);
}

/// Sums that stand in outputs between blocks of terms, and in columns that are no whole tiles elsewhere.
TEST(Gemm, OutputsOfTheirOwn) {
  for (int64_t n : {64, 72}) {
    Shape s{14, n, 1100, 4};
    s.separate = true;
    expect_product(s, {{}}, 1e-3);
    s.gates = 1;
    expect_product(s, {{}}, 1e-3);
  }
}

/// Sums over all steps: a block of columns takes all terms before the next one does.
TEST(Gemm, ByColumns) {
  const std::vector<DimValues> terms = {{{"K", 0}}, {{"K", 5}}, {{"K", 300}}};
  for (int64_t n : {40, 72, 250}) {
    Shape s{14, n, Poly(Dim("K")), 1, 1, true, false, DType::f32, {"K"}};
    for (const Target& target : targets()) {
      const LoopProgram program = product(s, Variant::blocked, target);
      EXPECT_EQ(codegen::gemm_blocks(*program.stmts.back().kernel, target).by_columns,
                target.vector_registers >= 32);
    }
    expect_product(s, terms, 1e-3);
    s.gates = s.groups = 2;
    expect_product(s, terms, 1e-3);
    s.separate = true;
    expect_product(s, terms, 1e-3);
  }
}

/// In each step of a loop, before a kernel that doubles what a sequence has for the step, so much that the
/// product asks for it while it sums.
LoopProgram before_a_sequence(LoopProgram program) {
  constexpr int64_t kRows = 64, kColumns = 256, kSteps = 2;
  constexpr LoopId kTime = 0;
  Loops l;
  l.program = std::move(program);
  const BufferId from = l.input(DType::f32, kSteps * kRows * kColumns);
  const BufferId to = l.output(DType::f32, kSteps * kRows * kColumns);
  // Arguments are the inputs first.
  for (Buffer& b : l.program.buffers)
    if (b.kind == Buffer::Kind::output) b.arg = l.program.inputs + (&b == &l.program.buffers[to]);
  auto doubled = std::make_shared<Kernel>();
  doubled->name = "doubled";
  doubled->dims = {kRows, kColumns};
  Expr e(doubled->nodes);
  const NodeId x = e.load(DType::f32, from, {kColumns, 1});
  doubled->nodes[x].access.outer = {{kTime, kRows * kColumns}};
  doubled->stores = {store(to, e.apply(ScalarOp::add, DType::f32, {x, x}), {kColumns, 1})};
  doubled->stores[0].access.outer = {{kTime, kRows * kColumns}};
  auto loop = std::make_shared<Loop>();
  loop->id = kTime, loop->trip = kSteps;
  loop->body = {l.program.stmts.back(), {doubled, nullptr, nullptr}};
  l.program.stmts.back() = {nullptr, loop, nullptr};
  return l.program;
}

/// Walks of a tile's terms stop at each line to ask, whatever the order of sums.
TEST(Gemm, AsksForWhatFollows) {
  for (const SumOrder order : {SumOrder::chain, SumOrder::halves, SumOrder::quarters})
    for (const int64_t terms : {13, 50, 64}) {
      Shape s{64, 96, terms, 1};
      s.order = order;
      for (const Target& target : targets())
        for (const Variant v : {Variant::direct, Variant::packed})
          expect_same(before_a_sequence(product(s, v, target)), {}, 2e-5, target);
    }
}

}  // namespace
}  // namespace rondo::test
