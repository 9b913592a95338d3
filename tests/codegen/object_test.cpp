// What generated objects expect from elsewhere: nothing.
#include <gtest/gtest.h>

#include "tests/codegen/loop_programs.h"

namespace rondo::test {
namespace {

using namespace ir;

/// Zeros, copies, every elementary function, casts and a random number, of both float types: what a compiler
/// likes to make calls of.
LoopProgram everything(DType t) {
  Loops l({"N"});
  Poly n = Dim("N");
  BufferId in = l.input(t, n), out = l.output(t, n * Poly(16)), ids = l.output(DType::i32, n);
  Kernel zero;
  zero.name = "zero";
  zero.dims = {n * Poly(16)};
  Expr z(zero.nodes);
  zero.stores = {store(out, z.constant(t, 0), {1})};
  l.add(zero);
  Kernel k;
  k.name = "functions";
  k.dims = {n};
  Expr e(k.nodes);
  NodeId x = e.load(t, in, {1});
  int64_t place = 0;
  for (ScalarOp op : {ScalarOp::exp, ScalarOp::log, ScalarOp::tanh, ScalarOp::sigmoid, ScalarOp::sqrt,
                      ScalarOp::rsqrt, ScalarOp::abs, ScalarOp::cos, ScalarOp::floor, ScalarOp::neg})
    k.stores.push_back(store(out, e.apply(op, t, {x}), {1}, n * Poly(place++)));
  k.stores.push_back(store(out, x, {1}, n * Poly(place++)));
  NodeId integer = e.apply(ScalarOp::cast, DType::i32, {x});
  k.stores.push_back(store(ids, integer, {1}));
  NodeId quotient = e.apply(ScalarOp::div, DType::i32, {integer, integer});
  k.stores.push_back(store(out, e.apply(ScalarOp::random, t, {integer, quotient, e.index(DType::i32, {1})}),
                           {1}, n * Poly(place++)));
  // Backwards, so that it needs gathers.
  k.stores.push_back(store(out, e.load(t, in, {-1}, n - Poly(1)), {1}, n * Poly(place++)));
  l.add(k);
  return l.program;
}

TEST(Object, ExpectsNothing) {
  for (const codegen::Target& target : targets())
    for (DType t : {DType::f32, DType::f64})
      EXPECT_EQ(codegen::undefined_symbols(everything(t), target), std::vector<std::string>{}) << target.cpu;
}

TEST(Object, ExpectsNothingOnOtherMachines) {
  for (const char* name : {"aarch64", "armv7", "riscv64", "wasm32"})
    EXPECT_EQ(codegen::undefined_symbols(everything(DType::f64), codegen::parse_target(name)),
              std::vector<std::string>{})
        << name;
}

TEST(Object, RunsAsWell) {
  for (const codegen::Target& target : targets())
    for (DType t : {DType::f32, DType::f64}) {
      const LoopProgram p = everything(t);
      const Native native(p, target);
      for (int64_t n : {1, 16, 21}) {
        std::vector<Array> inputs = random_inputs(p, {{"N", n}});
        for (double& v : inputs[0].data) v = std::abs(v) + 0.1;
        expect_near(run_interpreted(p, inputs, {{"N", n}}), native.run(inputs, {{"N", n}}), 1e-5);
      }
    }
}

}  // namespace
}  // namespace rondo::test
