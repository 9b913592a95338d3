// Every message of the DSL: what is wrong, the shapes, and the user's own file and line.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "support/error.h"

namespace rondo::test {
namespace {

/// The message of the error that tracing throws; "no error" if there is none.
std::string message(const std::function<void(Trace&)>& body) {
  try {
    Function function("f", f32, body);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

std::string here(const std::string& what, int line) {
  return "rondo: " + what + " (errors_test.cpp:" + std::to_string(line) + ")";
}

// Each lambda stands on one line, so that __LINE__ of the expectation is the line that the message names.
#define EXPECT_MESSAGE(what, ...)   \
  EXPECT_EQ(message([&](Trace& t) { \
              (void)t;              \
              __VA_ARGS__;          \
            }),                     \
            here(what, __LINE__))

TEST(Errors, MatmulNamesShapesAndPlace) {
  EXPECT_MESSAGE("matmul: f32[B,64] x f32[256,1024]: inner dims 64 and 256 differ",
                 matmul(t.input("a", {"B", 64}), t.input("b", {256, 1024})));
}

TEST(Errors, OperatorsNameThePlaceToo) {
  EXPECT_MESSAGE("add: f32[2] x f32[3]: operand types differ", t.input("a", {2}) + t.input("b", {3}));
  EXPECT_MESSAGE("mul: f32[2,3] x f32[2]: operand types differ", t.input("a", {2, 3}) * t.input("b", {2}));
  EXPECT_MESSAGE("sub: f32[2] x i32[2]: operand types differ", t.input("a", {2}) - t.input("b", i32, {2}));
}

TEST(Errors, ParametersNameThePlaceToo) {
  Model m;
  Param w = m.param("w", {3});
  EXPECT_MESSAGE("div: f32[2] x f32[3]: operand types differ", t.input("a", {2}) / w);
  EXPECT_MESSAGE("a parameter that no model has declared is used", t.input("a", {2}) / Param());
}

TEST(Errors, ACellThatIsTheStepOfAScanNamesThePlaceOfTheScan) {
  Model m;
  const Lstm lstm(m, "lstm", 3, 4);
  EXPECT_MESSAGE("matmul: f32[B,2] x f32[3,16]: inner dims 2 and 3 differ in lstm",
                 scan(lstm.initial("B"), t.input("x", {"T", "B", 2}), lstm));
}

TEST(Errors, AxesAndParts) {
  EXPECT_MESSAGE("f32[2,3] has no axis 2", sum(t.input("a", {2, 3}), 2));
  EXPECT_MESSAGE("f32[2,3] has no axis -3", t.input("a", {2, 3}).dim(-3));
  EXPECT_MESSAGE("f32[2,3] has no axis 5", expand(t.input("a", {2, 3}), 5, 4));
  EXPECT_MESSAGE("split: f32[2,3]: axis 1 has no 2 equal parts", split<2>(t.input("a", {2, 3}), 1));
  EXPECT_MESSAGE("split: f32[T]: axis 0 has no 2 equal parts", split<2>(t.input("a", {"T"}), 0));
  EXPECT_MESSAGE("concat: no tensors", concat({}, 0));
}

TEST(Errors, LayersNameTheCallAndNotTheirOwnLines) {
  Model m;
  Lstm lstm(m, "lstm", 64, 8);
  Linear head(m, "head", 8, 3);
  Stack stack{{lstm}};
  EXPECT_MESSAGE("matmul: f32[B,5] x f32[64,32]: inner dims 5 and 64 differ in lstm",
                 lstm(lstm.initial("B"), t.input("x", {"B", 5})));
  EXPECT_MESSAGE("matmul: f32[B,5] x f32[8,3]: inner dims 5 and 8 differ in linear",
                 head(t.input("x", {"B", 5})));
  EXPECT_MESSAGE("matmul: f32[B,5] x f32[64,32]: inner dims 5 and 64 differ in stack/lstm",
                 stack(stack.initial("B"), t.input("x", {"B", 5})));
}

TEST(Errors, LayersNameWhereTheyAreDeclared) {
  Model m;
  EXPECT_MESSAGE("parameter `a.w`: -3 is no size", Linear(m, "a", -3, 4));
  EXPECT_MESSAGE("parameter `a.table`: 0 is no size", Embedding(m, "a", 3, 0));
  EXPECT_MESSAGE("parameter `a.wx`: 0 is no size", Rnn(m, "a", 0, 4));
  EXPECT_MESSAGE("parameter `a.wx`: -4 is no size", Lstm(m, "a", 3, -1));
  EXPECT_MESSAGE("the model has a parameter `b.wx` already", Gru(m, "b", 3, 4); Gru(m, "b", 3, 4));
}

TEST(Errors, OptionsOfCells) {
  Model m;
  EXPECT_MESSAGE("`a`: clip is -1, no bound; 0 is none", Rnn(m, "a", 3, 4, {.clip = -1}));
  EXPECT_MESSAGE("`a`: clip is nan, no bound; 0 is none", Lstm(m, "a", 3, 4, {.gates = {.clip = NAN}}));
  EXPECT_MESSAGE("`b`: cell_clip is -2, no bound; 0 is none", Lstm(m, "b", 3, 4, {.cell_clip = -2}));
  EXPECT_MESSAGE("parameter `c.wh`: -2 is no size", Lstm(m, "c", 3, 4, {.projection = -2}));
  EXPECT_MESSAGE("`d`: a GRU with layer_norm resets after the product",
                 Gru(m, "d", 3, 4, Gru::Reset::before, {.gates = {.layer_norm = true}}));
}

TEST(Errors, HalvesOfAnOddOutput) {
  Model m;
  EXPECT_MESSAGE("an output of size 7 is odd: it has no halves to concat in bidirectional",
                 Bidirectional<Lstm>(m, "a", 3, 7));
}

TEST(Errors, StatesOfLayers) {
  Model m;
  const Lstm lstm(m, "lstm", 3, 4);
  const Rnn rnn(m, "rnn", 4, 5);
  Stack stack{{lstm, rnn}};
  const SequenceStack sequence{{lstm, rnn}};
  const SequenceLayer layer(lstm);
  auto x = [](Trace& t) { return t.input("x", {"T", "B", 3}); };
  EXPECT_MESSAGE("states of 1 layers are given for 2 in stack",
                 stack(Stack::State(1), t.input("x", {"B", 3})));
  EXPECT_MESSAGE("a state of 2 tensors is needed, not of 1 in stack",
                 stack(Stack::State(2, {zeros({"B", 4})}), t.input("x", {"B", 3})));
  EXPECT_MESSAGE("states of 0 layers are given for 2 in stack", sequence({}, x(t)));
  EXPECT_MESSAGE("a state of 2 tensors is needed, not of 3", layer(std::vector<Tensor>(3), x(t)));
  EXPECT_MESSAGE("matmul: f32[B,5] x f32[4,16]: inner dims 5 and 4 differ in lstm",
                 layer({zeros({"B", 5}), zeros({"B", 5})}, x(t)));
  EXPECT_MESSAGE("add: f32[T,B,3] x f32[T,B,4]: operand types differ in residual",
                 SequenceLayer(Residual(lstm))(layer.initial("B"), x(t)));
  EXPECT_MESSAGE("f32[T] has no batch and time in batch_first",
                 BatchFirst<SequenceLayer>{layer}(layer.initial("B"), t.input("y", {"T"})));
}

struct Speaker : Model {
  Rnn cell{*this, "cell", 8, 16};
  Linear head{*this, "head", 16, 11};
  HiddenState initial(Dim batch) const { return cell.initial(std::move(batch)); }
  std::pair<HiddenState, Tensor> step(const HiddenState& s, Tensor x) const {
    const HiddenState next = cell(s, x);
    return {next, head(next.h)};
  }
};
struct Forgetful : Speaker {  // its state changes its shape
  std::pair<HiddenState, Tensor> step(const HiddenState& s, Tensor x) const { return {{sum(s.h, -1)}, x}; }
};

TEST(Errors, ProgramsOfAModelNameTheCall) {
  const Speaker model;
  const Forgetful other;
  const StepInput numbers{f32, {8}};
  auto error_of = [](auto make) -> std::string {
    try {
      make();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of([&] { loss_function(model, numbers, {f32, {11}}, softmax_cross_entropy); }), here("in_range: f32[T,B,11]: ids and lengths are i32, not f32 in cross_entropy", __LINE__));
  EXPECT_EQ(error_of([&] { loss_function(model, numbers, {f32, {12}}, mse); }), here("sub: f32[T,B,11] x f32[T,B,12]: operand types differ in squared_error", __LINE__));
  EXPECT_EQ(error_of([&] { loss_function(model, numbers, numbers, [](Tensor y, Tensor) { return sum(y); }, {.lengths = true}); }), here("loss_function: with lengths, a loss takes y, target and a mask", __LINE__));
  const auto masked = [](Tensor y, Tensor, Tensor) { return sum(y); };
  EXPECT_EQ(error_of([&] { loss_function(model, numbers, numbers, masked); }), here("loss_function: without lengths, a loss takes y and target", __LINE__));
  EXPECT_EQ(error_of([&] { run_function(other, numbers); }), here("scan: tensor 0 of the state is f32[B,16] before the step and f32[B] after it", __LINE__));
  EXPECT_EQ(error_of([&] { step_function(other, numbers); }), here("keep: `state.0` is f32[B,16] before the call and f32[B] after it", __LINE__));
  EXPECT_MESSAGE("input `x`: -4 is no size", t.input("x", {2, -4}));
}

TEST(Errors, Lengths) {
  const auto sums = [](Tensor s, Tensor x) { return s + x; };
  EXPECT_MESSAGE(
      "scan: lengths are i32[B], not f32[B]",
      scan(zeros({"B"}), t.input("x", {"T", "B"}), sums, {.lengths = t.input("l", {"B"})}));
  EXPECT_MESSAGE("scan: lengths are i32[B], so carry 0 has B as its leading dim; it is f32[]",
                 scan(zeros({}), t.input("x", {"T"}), sums, {.lengths = t.input("l", i32, {"B"})}));
  EXPECT_MESSAGE("in_range: f32[B]: ids and lengths are i32, not f32",
                 mask_of(t.input("l", {"B"}), t.input("x", {"T"}).dim(0)));
  EXPECT_MESSAGE("f32[] has no axis 0 in sorted_rows", SortedRows(t.input("l", {})));
}

TEST(Errors, Scan) {
  EXPECT_MESSAGE("scan: f32[] has no time dim",
                 scan(zeros({2}), t.input("x", {}), [](Tensor h, Tensor) { return h; }));
  EXPECT_MESSAGE("scan: leading dims T and S differ",
                 scan(zeros({2}), std::pair(t.input("x", {"T"}), t.input("y", {"S"})),
                      [](Tensor h, auto) { return h; }));
  EXPECT_MESSAGE("scan: tensor 0 of the state is f32[2] before the step and f32[] after it",
                 scan(zeros({2}), t.input("x", {"T"}), [](Tensor, Tensor x) { return x; }));
  EXPECT_MESSAGE(
      "scan: the state has 1 tensors before the step and 0 after it",
      scan(std::vector{zeros({2})}, t.input("x", {"T"}), [](auto, Tensor) { return std::vector<Tensor>(); }));
}

TEST(Errors, TensorsBelongToTheirTrace) {
  EXPECT_MESSAGE("a tensor without a value is used", -Tensor());
  EXPECT_MESSAGE("a tensor is used outside of the scan or function that computes it", Tensor inner;
                 scan(zeros({}), t.input("x", {"T"}),
                      [&](Tensor h, Tensor x) {
                        inner = h + x;
                        return inner;
                      });
                 - inner);
  Tensor outside;
  Function function("f", f32, [&](Trace& t) { outside = t.input("x", {2}); });
  EXPECT_MESSAGE("a tensor is used outside of the scan or function that computes it", -outside);
  try {
    -outside;
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()), here("a tensor is computed outside of a function", __LINE__ - 3));
  }
}

TEST(Errors, NamesAreUnique) {
  Model m;
  Param w = m.param("w", {2}), other = Model().param("w", {2});
  EXPECT_MESSAGE("f has an input `x` already", t.input("x", {}); t.input("x", {}));
  EXPECT_MESSAGE("f has an output `y` already", t.output("y", ones({})); t.output("y", ones({})));
  EXPECT_MESSAGE("two parameters are named `w`", w + other);
  EXPECT_MESSAGE("the model has a parameter `w` already", m.param("w", {3}));
  EXPECT_MESSAGE("parameter `v`: 0 is no size", m.param("v", {0}));
  EXPECT_EQ(message([&](Trace& t) { t.output("y", w + t.input("w", {2})); }),
            "rondo: f: `w` names an input and a parameter");
}

TEST(Errors, State) {
  EXPECT_MESSAGE("keep: `s.1` is no state, slot or parameter",
                 t.keep("s", std::pair(t.state("s", zeros({2})), zeros({2}))));
  EXPECT_MESSAGE("keep: `s.0` is f32[2] before the call and f32[] after it",
                 t.keep("s", sum(t.state("s", zeros({2})))));
  EXPECT_EQ(message([&](Trace& t) { t.state("s", zeros({2})); }), "rondo: f: state `s.0` is not kept");
}

TEST(Errors, FunctionsDoNotNest) {
  EXPECT_EQ(message([](Trace&) { Function inner("g", f32, [](Trace&) {}); }),
            "rondo: a function cannot be traced while another one is");
}

}  // namespace
}  // namespace rondo::test
