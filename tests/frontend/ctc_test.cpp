// CTC against the sum over all alignments, one by one; its gradient; rows that do not fit.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <cmath>

#include "support/error.h"
#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;
using Labels = std::vector<int>;

constexpr int kSteps = 5, kRows = 4, kClasses = 3, kLabels = 3;

/// What an alignment says: repeats are one, then blanks go.
Labels collapsed(const Labels& alignment, int blank) {
  Labels labels;
  for (size_t i = 0; i < alignment.size(); ++i)
    if (alignment[i] != blank && (i == 0 || alignment[i] != alignment[i - 1])) labels.push_back(alignment[i]);
  return labels;
}

/// -log of the sum over all alignments of `steps` steps; logits [T,B,V].
double by_enumeration(const Numbers& logits, int row, int steps, const Labels& labels, int blank) {
  double p = 0;
  const int count = static_cast<int>(std::pow(kClasses, steps));
  for (int code = 0; code < count; ++code) {
    Labels alignment;
    double log_p = 0;
    for (int t = 0, rest = code; t < steps; ++t, rest /= kClasses) {
      const double* x = &logits[(t * kRows + row) * kClasses];
      double total = 0;
      for (int v = 0; v < kClasses; ++v) total += std::exp(x[v]);
      alignment.push_back(rest % kClasses);
      log_p += x[alignment.back()] - std::log(total);
    }
    if (collapsed(alignment, blank) == labels) p += std::exp(log_p);
  }
  return -std::log(p);
}

/// A model whose logits are its parameter.
struct Given : Model {
  Param logits;
  explicit Given(const Numbers& values, DType dtype = f64) : Model(dtype) {
    logits = param("logits", {kSteps, kRows, kClasses}, [values](Random&, auto&, std::span<double> out) {
      std::copy(values.begin(), values.end(), out.begin());
    });
  }
  Function loss(const CtcOptions& options = {}) const {
    return Function("loss", *this, [&](Trace& t) {
      const Tensor each = ctc(logits, t.input("labels", i32, {"L", kRows}), t.input("steps", i32, {kRows}),
                              t.input("counts", i32, {kRows}), options);
      t.output("each", each);
      t.output("loss", sum(each * (1 + cast(iota({kRows}, 0), dtype()))));  // rows count differently
    });
  }
};

/// Rows of labels, and of steps.
struct Batch {
  std::vector<Labels> labels;
  std::vector<int> steps;

  Numbers columns() const {
    Numbers all(kLabels * kRows, 1);  // beyond the labels: some class
    for (int b = 0; b < kRows; ++b)
      for (size_t l = 0; l < labels[b].size(); ++l) all[l * kRows + b] = labels[b][l];
    return all;
  }
  Numbers counts() const {
    Numbers all;
    for (const Labels& l : labels) all.push_back(static_cast<double>(l.size()));
    return all;
  }
  Numbers lengths() const { return Numbers(steps.begin(), steps.end()); }
};

Reference run(const Function& f, const Weights& weights, const Batch& batch) {
  Reference r(f, weights);
  r.set("labels", {kLabels, kRows}, batch.columns());
  r.set("steps", {kRows}, batch.lengths());
  r.set("counts", {kRows}, batch.counts());
  r.run();
  return r;
}

GradientCheckOptions check_options(const Batch& batch) {
  return {.dims = {{"L", kLabels}},
          .inputs = {{"labels", batch.columns()}, {"steps", batch.lengths()}, {"counts", batch.counts()}},
          .elements = 60};
}

const std::vector<Batch> kBatches = {
    {{{1}, {1, 2}, {1, 1}, {1, 1, 2}}, {5, 5, 5, 5}},
    {{{}, {2}, {2, 1, 2}, {1, 1, 1}}, {3, 1, 3, 5}},  // as short as can be
    {{{}, {2, 2}, {1, 2}, {1, 2, 1}}, {0, 3, 2, 4}},
};

TEST(Ctc, IsTheSumOverAllAlignments) {
  const Numbers logits = numbers(kSteps * kRows * kClasses, 3);
  Given model(logits);
  for (const Batch& batch : kBatches) {
    const Reference r = run(model.loss(), model.init(1), batch);
    for (int b = 0; b < kRows; ++b)
      EXPECT_NEAR(r.at("each").data[b], by_enumeration(logits, b, batch.steps[b], batch.labels[b], 0), 1e-12)
          << b;
    const GradientCheck check = check_gradients(model.loss(), model.init(1), check_options(batch));
    EXPECT_TRUE(check.passed()) << to_string(check);
  }
}

TEST(Ctc, AnyClassMayBeTheBlank) {
  const Numbers logits = numbers(kSteps * kRows * kClasses, 4);
  Given model(logits);
  const Batch batch{{{0}, {1, 0}, {1, 1}, {}}, {5, 4, 3, 2}};
  const Reference r = run(model.loss({.blank = 2}), model.init(1), batch);
  for (int b = 0; b < kRows; ++b)
    EXPECT_NEAR(r.at("each").data[b], by_enumeration(logits, b, batch.steps[b], batch.labels[b], 2), 1e-12)
        << b;
}

TEST(Ctc, LabelsThatDoNotFitAreInfiniteOrLeftOut) {
  Given model(numbers(kSteps * kRows * kClasses, 5));
  const Batch batch{{{1, 2}, {1, 1}, {1}, {1, 2, 1}}, {1, 2, 0, 3}};  // the last one fits
  const Reference infinite = run(gradient(model.loss()), model.init(1), batch);
  const Numbers& each = infinite.at("each").data;
  for (int b : {0, 1, 2}) EXPECT_EQ(each[b], std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isfinite(each[3]));
  const Reference left_out = run(gradient(model.loss({.zero_infinity = true})), model.init(1), batch);
  EXPECT_EQ(left_out.at("each").data, (Numbers{0, 0, 0, each[3]}));
  for (const Reference* r : {&infinite, &left_out}) {
    const Numbers& d = r->at("d_logits").data;
    for (size_t i = 0; i < d.size(); ++i) {
      ASSERT_TRUE(std::isfinite(d[i]));
      if (i / kClasses % kRows != 3) {
        EXPECT_EQ(d[i], 0) << i;
      }
    }
  }
}

TEST(Ctc, ClassesThatCannotBeGiveNoNaN) {
  Numbers logits = numbers(kSteps * kRows * kClasses, 6);
  for (int t = 0; t < kSteps; ++t)
    logits[t * kRows * kClasses + 2] = -std::numeric_limits<double>::infinity();
  Given model(logits);
  const Batch batch{{{1}, {2}, {2, 1}, {}}, {5, 5, 5, 5}};
  const Reference r = run(gradient(model.loss()), model.init(1), batch);
  EXPECT_NEAR(r.at("each").data[0], by_enumeration(logits, 0, 5, {1}, 0), 1e-12);
  for (double d : r.at("d_logits").data) EXPECT_TRUE(std::isfinite(d));
}

TEST(Ctc, NativeIsTheEvaluator) {
  for (DType dtype : {f32, f64}) {
    Given model(numbers(kSteps * kRows * kClasses, 7), dtype);
    const Function f = gradient(model.loss({.zero_infinity = true}));
    Program p = compile(f, model.init(1));
    p.resize({{"L", kLabels}});
    for (const Batch& batch : kBatches) {
      const Reference r = run(f, model.init(1), batch);
      auto ints = [](const Numbers& x) { return std::vector<int32_t>(x.begin(), x.end()); };
      p.set("labels", ints(batch.columns()));
      p.set("steps", ints(batch.lengths()));
      p.set("counts", ints(batch.counts()));
      p.run();
      const double tolerance = dtype == f32 ? 1e-5 : 1e-12;
      for (const char* name : {"each", "d_logits"}) {
        const Numbers native = array_of(p.buffer(name)).data, &expected = r.at(name).data;
        for (size_t i = 0; i < native.size(); ++i)
          EXPECT_NEAR(native[i], expected[i], tolerance) << name << i;
      }
    }
    auto refuse = [&](const char* name, int32_t value) {
      const int32_t before = std::exchange(p.i32(name)[0], value);
      EXPECT_THROW(p.run(), Error) << name;
      p.i32(name)[0] = before;
    };
    refuse("labels", kClasses);
    refuse("labels", -1);
    refuse("steps", kSteps + 1);
    refuse("counts", kLabels + 1);
    refuse("counts", -1);
    p.run();
  }
}

TEST(Ctc, LearnsWhereTheLabelsAre) {
  Given model(Numbers(kSteps * kRows * kClasses, 0), f32);
  Program train = compile_training(model.loss(), Adam{.lr = 0.2}, model.init(1));
  train.resize({{"L", kLabels}});
  const Batch& batch = kBatches[0];
  train.set("labels", std::vector<int32_t>{1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2});
  train.set("steps", std::vector<int32_t>(kRows, kSteps));
  const Numbers counts = batch.counts();
  train.set("counts", std::vector<int32_t>(counts.begin(), counts.end()));
  for (int i = 0; i < 60; ++i) train.run();
  EXPECT_LT(train.f32("loss")[0], 0.1);
  const Buffer& logits = train.weights().at("logits");
  for (int b = 0; b < kRows; ++b) {  // the likeliest class at each step
    Labels alignment;
    for (int t = 0; t < kSteps; ++t) {
      const float* x = &logits.as<float>()[(t * kRows + b) * kClasses];
      alignment.push_back(static_cast<int>(std::max_element(x, x + kClasses) - x));
    }
    EXPECT_EQ(collapsed(alignment, 0), batch.labels[b]);
  }
}

TEST(Ctc, RefusesOtherShapesAndBlanks) {
  auto refuse = [](int64_t classes, int32_t blank, Shape labels) {
    try {
      Function("f", f32, [&](Trace& t) {
        const Tensor n = t.input("n", i32, {"B"});
        t.output("y",
                 ctc(t.input("x", {"T", "B", classes}), t.input("l", i32, labels), n, n, {.blank = blank}));
      });
    } catch (const Error& e) {
      const std::string what = e.what();
      return what.substr(0, what.find(" (ctc_test"));
    }
    return std::string("no error");
  };
  EXPECT_EQ(refuse(4, 4, {"L", "B"}), "rondo: blank 4 is no class of f32[T,B,4] in ctc");
  EXPECT_EQ(refuse(4, 0, {"B"}),
            "rondo: logits are [T,B,V] and labels [L,B]; here they are f32[T,B,4] and i32[B] in ctc");
  EXPECT_EQ(refuse(4, 3, {"L", "B"}), "no error");
}

}  // namespace
}  // namespace rondo::test
