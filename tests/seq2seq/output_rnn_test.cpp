// The output-recurrent net: free running and taught.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "passes/pipeline.h"
#include "tests/frontend/reference.h"
#include "tests/passes/structure.h"
#include "tests/support/environment.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

constexpr int64_t kIn = 2, kHidden = 4, kOut = 3, kSteps = 5, kRows = 2;

struct Talker : Model {
  Talker() : Model(f64) {}
  OutputRnn net{*this, "net", kIn, kHidden, kOut};
};

Tensor outputs_of(const Talker& model, Trace& t, bool taught) {
  const Tensor x = t.input("x", {"T", "B", kIn}), target = t.input("target", {"T", "B", kOut});
  return taught ? teacher_forced(model.net, x, target)
                : OverTime<OutputRnn>{model.net}(model.net.initial("B"), x).second;
}

Function run_of(const Talker& model, bool taught) {
  return Function("run", model, [&](Trace& t) { t.output("y", outputs_of(model, t, taught)); });
}

Function loss_of(const Talker& model, bool taught) {
  return Function("loss", model, [&](Trace& t) {
    const Tensor y = outputs_of(model, t, taught);
    t.output("loss", mse(y, t.input("wanted", {"T", "B", kOut})));
  });
}

Numbers run(const Function& function, const Weights& weights, const Numbers& target) {
  Program program = compile(function, weights);
  program.resize({{"T", kSteps}, {"B", kRows}});
  program.set("x", numbers(kSteps * kRows * kIn, 1));
  program.set("target", target);
  program.run();
  return array_of(program.buffer("y")).data;
}

/// The equations, in plain loops.
Numbers expected(const Weights& weights, const Numbers& x, const Numbers& target, bool taught) {
  auto w = [&](const char* name) { return array_of(weights.at(name)).data; };
  const Numbers wx = w("net.wx"), wo = w("net.wo"), b = w("net.b"), v = w("net.output.w"),
                c = w("net.output.b");
  Numbers y(kSteps * kRows * kOut);
  for (int64_t t = 0; t < kSteps; ++t)
    for (int64_t row = 0; row < kRows; ++row) {
      Numbers h = b;
      for (int64_t j = 0; j < kHidden; ++j) {
        for (int64_t i = 0; i < kIn; ++i) h[j] += x[(t * kRows + row) * kIn + i] * wx[i * kHidden + j];
        for (int64_t i = 0; t > 0 && i < kOut; ++i)
          h[j] += (taught ? target : y)[((t - 1) * kRows + row) * kOut + i] * wo[i * kHidden + j];
      }
      for (int64_t k = 0; k < kOut; ++k) {
        double& o = y[(t * kRows + row) * kOut + k];
        o = c[k];
        for (int64_t j = 0; j < kHidden; ++j) o += std::tanh(h[j]) * v[j * kOut + k];
      }
    }
  return y;
}

TEST(OutputRnn, IsItsEquations) {
  const Talker model;
  const Weights weights = model.init(2);
  const Numbers x = numbers(kSteps * kRows * kIn, 1), target = numbers(kSteps * kRows * kOut, 2);
  for (bool taught : {true, false}) {
    const Numbers y = run(run_of(model, taught), weights, target), e = expected(weights, x, target, taught);
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], e[i], 1e-14);
  }
}

/// Taught what it says itself, it says the same, to the bit.
TEST(OutputRnn, ItsOwnOutputsTeachItNothing) {
  const Talker model;
  const Weights weights = model.init(2);
  const Numbers free = run(run_of(model, false), weights, Numbers(kSteps * kRows * kOut));
  EXPECT_EQ(run(run_of(model, true), weights, free), free);
}

TEST(OutputRnn, GradientsAreThoseOfFiniteDifferences) {
  const Talker model;
  const Weights weights = model.init(2);
  for (bool taught : {true, false}) {
    const Function loss = loss_of(model, taught);
    Reference gradients(gradient(loss), weights), reference(loss, weights);
    for (Reference* r : {&gradients, &reference}) {
      r->set("x", {kSteps, kRows, kIn}, numbers(kSteps * kRows * kIn, 1));
      r->set("target", {kSteps, kRows, kOut}, numbers(kSteps * kRows * kOut, 2));
      r->set("wanted", {kSteps, kRows, kOut}, numbers(kSteps * kRows * kOut, 3));
    }
    gradients.run();
    for (const Param& p : model.params()) {
      Numbers values = array_of(weights.at(p.name())).data;
      auto loss_at = [&](double value, size_t i) {
        values[i] = value;
        reference.set(p.name(), p.shape(), values);
        reference.run();
        return reference.scalar("loss");
      };
      const Numbers here = values;
      for (size_t i = 0; i < values.size(); ++i) {
        const double slope = (loss_at(here[i] + 1e-5, i) - loss_at(here[i] - 1e-5, i)) / 2e-5;
        EXPECT_NEAR(gradients.at("d_" + p.name()).data[i], slope, 1e-9) << p.name() << " " << i;
        loss_at(here[i], i);
      }
    }
  }
}

/// A teacher cuts the recurrence: all of time is one product, forward and backward.
TEST(OutputRnn, ATeacherTakesTheProductsOutOfTime) {
  const Talker model;
  const Environment skip("RONDO_SKIP", "tile-sequences");  // else sums of blocks are in a loop as well
  auto products_in_loops = [&](bool taught) {
    const Function run = run_of(model, taught), training = gradient(loss_of(model, taught));
    return std::pair(
        count_in_scans(passes::run_pipeline(run.func, run.pipeline), ir::OpKind::matmul),
        count_in_scans(passes::run_pipeline(training.func, training.pipeline), ir::OpKind::matmul));
  };
  EXPECT_EQ(products_in_loops(true), std::pair(0L, 0L));
  const auto [inference, training] = products_in_loops(false);
  EXPECT_EQ(inference, 2);  // o wo, h v
  EXPECT_EQ(training, 4);   // and their transposes, backward
}

}  // namespace
}  // namespace rondo::test
