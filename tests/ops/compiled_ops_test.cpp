// Every op, by the rows of its table: the loop program, interpreted, and compiled code mean what the
// evaluator says.
#include <gtest/gtest.h>

#include "codegen/compile.h"
#include "codegen/loops/interpreter.h"
#include "ir/arrays.h"
#include "tests/ops/rows.h"
#include "tests/support/execute.h"

namespace rondo::test {
namespace {

class CompiledOps : public testing::TestWithParam<size_t> {};

TEST_P(CompiledOps, MeanWhatTheEvaluatorSays) {
  for (const OpCase& c : cases_of(static_cast<ir::OpKind>(GetParam()))) {
    SCOPED_TRACE(c.text);
    const std::vector<ir::Array> inputs = inputs_of(c), expected = ir::evaluate(c.func, inputs, row_dims());
    const auto shapes = ir::shapes_of(expected);
    const ir::LoopProgram program = codegen::lower(c.func);
    EXPECT_LT(ir::difference(codegen::interpret(program, inputs, shapes, row_dims()), expected), 1e-12)
        << to_string(program);
    const auto code = codegen::compile(c.func);
    EXPECT_LT(ir::difference(execute(*code, inputs, shapes, row_dims()), expected), ir::tolerance(c.func))
        << to_string(program);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CompiledOps, testing::Range<size_t>(0, ir::kOpCount), [](const auto& info) {
  return std::string(ir::def_of(static_cast<ir::OpKind>(info.param)).name);
});

}  // namespace
}  // namespace rondo::test
