// Every op, by the rows of its table: text round trip, verifier, gradient == finite differences of the
// evaluator.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "ir/arrays.h"
#include "ir/builder.h"
#include "ir/evaluator.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "tests/ops/rows.h"

namespace rondo::test {
namespace {

using ir::Array;
using ir::Func;
using ir::Op;
using ir::OpDef;
using ir::OpKind;
using ir::Value;

/// The op's gradient rule as a function of the params and a cotangent; a result for each float param.
Func derivative(const Func& f) {
  const Op& op = f.ops[0];
  ir::Builder b("d");
  std::map<Value, Value> primals;
  for (Value p : f.params) primals[p] = b.param(f.type(p));
  const Value d = b.param(f.type(op.result()));
  std::vector<Value> operands;
  for (Value v : op.operands) operands.push_back(primals.at(v));
  primals[op.result()] = b.copy(f, op, operands).at(0);
  const std::function<Value(Value)> primal = [&](Value v) { return primals.at(v); };
  const auto cotangents = ir::def_of(op.kind).grad({b, f, op, std::span(&d, 1), primal});
  EXPECT_EQ(cotangents.size(), op.operands.size());
  std::map<Value, Value> sums;
  for (size_t i = 0; i < cotangents.size(); ++i) {
    const Value p = op.operands[i], dx = cotangents[i];
    EXPECT_EQ(static_cast<bool>(dx), is_float(f.type(p).dtype));
    if (!dx) continue;
    EXPECT_EQ(b.type(dx), f.type(p));
    auto [sum, first] = sums.try_emplace(p, dx);
    if (!first) sum->second = b.add(sum->second, dx);
  }
  std::vector<Value> results;
  for (Value p : f.params)
    if (sums.count(p)) results.push_back(sums.at(p));
  return std::move(b).finish(std::move(results));
}

/// Gradients of sum(d * f(inputs)) for each float input, by central differences.
std::vector<Array> numeric_gradients(const Func& f, std::vector<Array> inputs, const Array& d) {
  constexpr double h = 1e-5;
  auto value = [&] {
    double sum = 0;
    const Array out = ir::evaluate(f, inputs, row_dims()).at(0);
    for (size_t i = 0; i < out.data.size(); ++i) sum += d.data[i] * out.data[i];
    return sum;
  };
  std::vector<Array> gradients;
  for (Array& input : inputs) {
    if (!is_float(input.dtype)) continue;
    Array g = input;
    for (size_t i = 0; i < input.data.size(); ++i) {
      const double x = input.data[i];
      input.data[i] = x + h;
      const double above = value();
      input.data[i] = x - h;
      const double below = value();
      input.data[i] = x;
      g.data[i] = (above - below) / (2 * h);
    }
    gradients.push_back(std::move(g));
  }
  return gradients;
}

bool has_infinity(const Array& a) {
  return std::any_of(a.data.begin(), a.data.end(), [](double x) { return std::isinf(x); });
}

void check_gradient(const OpCase& c) {
  const Op& op = c.func.ops[0];
  const OpDef& def = ir::def_of(op.kind);
  const ir::Type& type = c.func.type(op.result());
  if (!is_float(type.dtype) || c.row->stops_gradient) {
    EXPECT_TRUE(!is_float(type.dtype) || !def.grad) << "a gradient flows";
    return;
  }
  std::vector<Array> inputs = inputs_of(c);
  std::vector<Array> d = ir::evaluate(c.func, inputs, row_dims());
  if (has_infinity(d[0])) return;  // the largest of nothing, for example, has no gradient
  for (size_t i = 0; i < d[0].data.size(); ++i) d[0].data[i] = std::sin(static_cast<double>(i) + 1);
  std::vector<Array> expected = numeric_gradients(c.func, inputs, d[0]), actual;
  if (def.grad) {
    const Func rule = derivative(c.func);
    EXPECT_EQ(ir::verify(rule), std::vector<std::string>{});
    inputs.push_back(d[0]);
    actual = ir::evaluate(rule, inputs, row_dims());
  } else {  // where no gradient flows, there is none
    actual = expected;
    for (Array& a : actual) std::fill(a.data.begin(), a.data.end(), 0.0);
  }
  EXPECT_LT(ir::difference(actual, expected), 2e-8);
}

class Ops : public testing::TestWithParam<size_t> {};

TEST_P(Ops, KeepTheirTextAndTheirGradient) {
  const std::vector<OpCase> cases = cases_of(static_cast<OpKind>(GetParam()));
  EXPECT_FALSE(cases.empty()) << "the op lacks a row in rows.cpp";
  for (const OpCase& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(ir::print(ir::parse(ir::print(c.func))), ir::print(c.func));
    EXPECT_EQ(ir::verify(c.func), std::vector<std::string>{});
    check_gradient(c);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Ops, testing::Range<size_t>(0, ir::kOpCount), [](const auto& info) {
  return std::string(ir::def_of(static_cast<OpKind>(info.param)).name);
});

}  // namespace
}  // namespace rondo::test
