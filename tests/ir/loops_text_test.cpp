// Text of loop programs: every part of a program shows.
#include <gtest/gtest.h>

#include "ir/loops.h"

namespace rondo::ir {
namespace {

const Poly kB = Dim("B");

Node load(BufferId buffer, std::vector<Poly> strides) {
  Node n;
  n.op = ScalarOp::load;
  n.access.buffer = buffer;
  n.access.strides = std::move(strides);
  return n;
}

/// For t: y[t] += exp of the row sums of x, with x of T*B rows of 8.
LoopProgram sample() {
  LoopProgram p;
  p.name = "rows";
  p.dims = {"T", "B"};
  p.buffers = {{"x", DType::f32, kB * Dim("T") * 8, Buffer::Kind::input, 0, kNone},
               {"y", DType::f32, kB * Dim("T"), Buffer::Kind::output, 0, kNone},
               {"", DType::f64, kB, Buffer::Kind::scratch, kNone, 0}};
  p.slots = {kB * 8};
  p.bounds = {{0, 65}};
  auto kernel = std::make_shared<Kernel>();
  kernel->name = "sum";
  kernel->dims = {kB};
  Accumulator acc;
  acc.dims = {8};
  acc.order = SumOrder::lanes;
  acc.nodes = {load(0, {8, 1})};
  acc.nodes[0].access.outer = {{0, kB * 8}};
  kernel->accs = {acc};
  Node sum, e, row = load(2, {1});
  sum.op = ScalarOp::acc;
  sum.acc = 0;
  e.op = ScalarOp::exp;
  e.args = {0};
  row.access.offset = 3;
  row.access.row = 1;
  row.access.row_stride = 5;
  kernel->nodes = {sum, e, row};
  Store store;
  store.access.buffer = 1;
  store.access.strides = {1};
  store.access.outer = {{0, kB}};
  store.value = 1;
  store.add = true;
  kernel->stores = {store};
  auto loop = std::make_shared<Loop>();
  loop->trip = Dim("T");
  loop->reverse = true;
  loop->body = {{kernel, nullptr, nullptr}};
  p.stmts = {{nullptr, loop, nullptr}};
  return p;
}

TEST(LoopsText, ShowsEveryPart) {
  EXPECT_EQ(to_string(sample()), R"(program rows(T, B)
  buffer x.b0: f32[8*B*T] input 0
  buffer y.b1: f32[B*T] output 0
  buffer b2: f64[B] slot 0
  slot 0: 8*B bytes
  input 0 in [0,65)
  loop t0 < T reverse
    kernel sum over [B]
      acc0 = sum f32 of %0 over [8] in lanes
        %0 = load f32 x.b0[t0*(8*B) + i0*8 + i1]
      %0 = acc f32 acc0
      %1 = exp f32 %0
      %2 = load f32 b2[3 + %1*5 + i0]
      y.b1[t0*(B) + i0] += %1
)");
}

}  // namespace
}  // namespace rondo::ir
