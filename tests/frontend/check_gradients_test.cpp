// The gradient checker: right gradients pass, wrong ones are named.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "support/error.h"

namespace rondo::test {
namespace {

/// A character model in which gradients of one matrix may be left out.
struct Chars : Model {
  Embedding embed{*this, "embed", 5, 4};
  Lstm cell{*this, "cell", 4, 6};
  Linear head{*this, "head", 6, 5};
  bool is_wrong;

  explicit Chars(bool is_wrong, DType dtype = f32) : Model(dtype), is_wrong(is_wrong) {}
  Lstm::State initial(Dim batch) const { return cell.initial(batch); }
  std::pair<Lstm::State, Tensor> step(const Lstm::State& s, Tensor id) const {
    Lstm::State next = cell(s, dropout(embed(id), 0.3));
    if (is_wrong) next.h = matmul(s.h, detach(slice(cell.wh, 1, 0, 6))) + next.h;
    return {next, head(dropout(next.h, 0.2, Draw::once))};
  }
  Function loss() const { return loss_function(*this, {}, {}, softmax_cross_entropy); }
};

const ir::DimValues kDims = {{"T", 4}, {"B", 3}};

TEST(CheckGradients, PassesRightOnesWithIdsAndDropout) {
  const Chars model(false);
  const GradientCheck check = check_gradients(model.loss(), model.init(1), {.dims = kDims, .elements = 5});
  EXPECT_TRUE(check.passed()) << to_string(check);
  EXPECT_EQ(check.rows.size(), model.params().size());
  for (const GradientCheck::Row& r : check.rows) EXPECT_EQ(r.checked, 5);
  EXPECT_GT(check.loss, 0.5);
  EXPECT_EQ(to_string(check).substr(0, 44), "gradients agree with central differences to ");
}

/// Tells two classes apart.
struct Coin : Model {
  Rnn cell{*this, "cell", 2, 3};
  Linear head{*this, "head", 3, 2};
  HiddenState initial(Dim batch) const { return cell.initial(batch); }
  std::pair<HiddenState, Tensor> step(const HiddenState& s, Tensor x) const {
    const HiddenState next = cell(s, x);
    return {next, head(next.h)};
  }
};

TEST(CheckGradients, KeepsLabelsAndLengthsInRange) {
  const Coin model;
  const Function loss = loss_function(model, {f32, {2}}, {i32, {}}, softmax_cross_entropy, {.lengths = true});
  for (int64_t steps : {1, 4})
    for (uint64_t seed : {1, 2, 3}) {
      const GradientCheck check =
          check_gradients(loss, model.init(1), {.dims = {{"T", steps}, {"B", 5}}, .seed = seed});
      EXPECT_TRUE(check.passed()) << to_string(check);
    }
}

TEST(CheckGradients, NamesTheParameterWhoseGradientIsWrong) {
  const Chars model(true);
  const GradientCheck check = check_gradients(model.loss(), model.init(1), {.dims = kDims, .elements = 1000});
  EXPECT_FALSE(check.passed());
  EXPECT_EQ(check.worst().name, "cell.wh");
  EXPECT_LT(check.worst().at.at(1), 6);  // in the slice that is detached
  EXPECT_GT(check.worst().error, 0.1);
  const std::string text = to_string(check);
  EXPECT_EQ(text.find("WRONG GRADIENT: d loss / d cell.wh["), 0u) << text;
  for (const Param& p : model.params())
    EXPECT_NE(text.find("\n" + p.name() + "["), std::string::npos) << text;
}

TEST(CheckGradients, TellsBothNumbers) {
  Model m(f64);
  const Param w = m.param("w", {2, 2}, init::constant(3)), v = m.param("v", {2}, init::constant(1));
  const Function f("f", m, [&](Trace& t) { t.output("loss", sum(w * detach(w)) + sum(square(v))); });
  const GradientCheck check = check_gradients(f, m.init(1));
  EXPECT_EQ(to_string(check),
            "WRONG GRADIENT: d loss / d w[0,0] is 3 by the gradient and 6 by central differences\n"
            "worst element  checked       gradient     difference     error\n"
            "w[0,0]               4              3              6   5.0e-01  <-\n" +
                to_string(check).substr(to_string(check).find("v[")));
  EXPECT_EQ(check.rows.at(1).name, "v");
  EXPECT_LE(check.rows.at(1).error, check.tolerance);
}

TEST(CheckGradients, ChecksInputsToo) {
  Model m(f32);
  const Param w = m.param("w", {3});
  const Function f("f", m, [&](Trace& t) { t.output("loss", sum(tanh(t.input("x", {"B", 3}) * w))); });
  const GradientCheck check = check_gradients(
      f, m.init(1), {.wrt = {"x", "w"}, .dims = {{"B", 2}}, .inputs = {{"x", {1, 2, 3, 4, 5, 6}}}});
  EXPECT_TRUE(check.passed()) << to_string(check);
  EXPECT_EQ(check.rows.size(), 2u);
  double loss = 0;
  const Weights weights = m.init(1);
  const std::span<const float> values = weights.at("w").as<float>();
  for (int i = 0; i < 6; ++i) loss += std::tanh((i + 1) * static_cast<double>(values[i % 3]));
  EXPECT_NEAR(check.loss, loss, 1e-12);
}

TEST(CheckGradients, ChoosesIdsAndLengthsInTheirRange) {
  const Chars model(false);
  const Function loss = loss_function(model, {}, {}, CrossEntropy{.ignore = 4}, {.lengths = true});
  const GradientCheck check = check_gradients(loss, model.init(1), {.dims = {{"T", 4}, {"B", 9}}});
  EXPECT_TRUE(check.passed()) << to_string(check);
}

TEST(CheckGradients, ANaNIsWrong) {
  Model m(f64);
  const Param w = m.param("w", {2}, init::constant(-1));
  const Function f("f", m, [&](Trace& t) { t.output("loss", sum(sqrt(w))); });
  EXPECT_FALSE(check_gradients(f, m.init(1)).passed());
}

TEST(CheckGradients, RefusesInputsThatDoNotFit) {
  const Chars model(false);
  auto refuse = [&](const GradientCheckOptions& options) {
    try {
      check_gradients(model.loss(), model.init(1), options);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(refuse({.dims = {{"T", 2}}}),
            "rondo: check_gradients: loss has the dim B, which no option gives");
  EXPECT_EQ(refuse({.dims = kDims, .inputs = {{"y", {1}}}}), "rondo: check_gradients: loss has no input y");
  EXPECT_EQ(refuse({.dims = kDims, .inputs = {{"x", {1}}}}),
            "rondo: check_gradients: 1 values for x, which is i32[4,3]");
}

}  // namespace
}  // namespace rondo::test
