// Training and writing are modes of one model.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "passes/pipeline.h"
#include "support/error.h"
#include "tests/frontend/reference.h"
#include "tests/passes/structure.h"
#include "tests/seq2seq/models.h"

namespace rondo::test {
namespace {

using Kind = Attention::Kind;

constexpr int64_t kSteps = 5;  // of the targets

/// [T,B], each row up to its end symbol; what follows is of no account.
const std::vector<int32_t> kTargets = {0, 1, 2, 1, 2, 1, 1, 0, 0, 2, 0, 2, 1, 1, 1};

void set_sources(Program& program) {
  const Sources sources;
  program.resize({{"S", Sources::steps}, {"B", Sources::rows}});
  program.set("source", sources.ids);
  program.set("source_lengths", sources.lengths);
}

Program compile_loss(const SequenceWriter& model, const Weights& weights, Feeding feeding) {
  Program loss = compile(loss_function(model, feeding), weights);
  set_sources(loss);
  loss.resize({{"T", kSteps}});
  loss.set("target", kTargets);
  return loss;
}

double run(Program& loss) {
  loss.run();
  return loss.f64("loss")[0];
}

class Modes : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Attention, Modes, ::testing::Values(Kind::none, Kind::dot, Kind::additive));

/// Sets what an evaluated program of the tiny model reads.
void set_inputs(Reference& r) {
  const Sources sources;
  r.set("source", {Sources::steps, Sources::rows}, Numbers(sources.ids.begin(), sources.ids.end()));
  r.set("source_lengths", {Sources::rows}, Numbers(sources.lengths.begin(), sources.lengths.end()));
  r.set("target", {kSteps, Sources::rows}, Numbers(kTargets.begin(), kTargets.end()));
}

/// Of the loss of a model that takes the tiny one's inputs, along one direction for each parameter.
void expect_gradients(const EncoderDecoder& model) {
  const Weights weights = model.init(3);
  const Function loss = loss_function(model);
  Reference gradients(gradient(loss), weights), reference(loss, weights);
  set_inputs(gradients);
  set_inputs(reference);
  gradients.run();
  auto loss_at = [&](const Param& p, const Numbers& values) {
    reference.set(p.name(), p.shape(), values);
    reference.run();
    return reference.scalar("loss");
  };
  for (const Param& p : model.params()) {
    const Numbers here = array_of(weights.at(p.name())).data, direction = numbers(here.size(), 9);
    Numbers more = here, less = here;
    double slope = 0;
    for (size_t i = 0; i < here.size(); ++i) {
      more[i] += 1e-5 * direction[i];
      less[i] -= 1e-5 * direction[i];
      slope += gradients.at("d_" + p.name()).data[i] * direction[i];
    }
    EXPECT_NEAR(slope, (loss_at(p, more) - loss_at(p, less)) / 2e-5, 1e-8) << p.name();
    EXPECT_NE(slope, 0) << p.name();
    EXPECT_NEAR(loss_at(p, here), gradients.scalar("loss"), 1e-12);
  }
}

TEST_P(Modes, GradientsAreThoseOfFiniteDifferences) { expect_gradients(tiny(GetParam())); }

TEST(Modes, AnyLayersReadAndWrite) {
  EncoderDecoderOptions options;
  options.target = {.symbols = kSymbols, .end = kEnd, .embedding = 4, .attention = Kind::additive};
  expect_gradients(EncoderDecoder(
      options, [](Model& m, const std::string& name) { return Bidirectional<Lstm>(m, name, 4, 6); },
      [](Model& m, const std::string& name, int64_t in) { return Lstm(m, name, in, 5); }, f64));
}

TEST_P(Modes, WhatLiesBeyondTheEndsIsIgnored) {
  const EncoderDecoder model = tiny(GetParam());
  const Weights weights = model.init(3);
  Program loss = compile_loss(model, weights, Feeding::teacher);
  const double expected = run(loss);
  for (int64_t i : {12, 7, 10, 5, 14}) loss.i32("target")[i] = (loss.i32("target")[i] + 1) % kSymbols;
  for (int64_t i : {7, 10, 2}) loss.i32("source")[i] = 1;
  EXPECT_EQ(run(loss), expected);
  loss.i32("target")[1] = 0;
  EXPECT_NE(run(loss), expected);
}

TEST_P(Modes, ScheduledSamplingLiesBetweenTeacherAndOwn) {
  const EncoderDecoder model = tiny(GetParam());
  const Weights weights = model.init(3);
  Program teacher = compile_loss(model, weights, Feeding::teacher),
          own = compile_loss(model, weights, Feeding::own),
          scheduled = compile_loss(model, weights, Feeding::scheduled);
  EXPECT_EQ(scheduled.f64("own_rate")[0], 0);
  EXPECT_NEAR(run(scheduled), run(teacher), 1e-14);
  scheduled.f64("own_rate")[0] = 1;
  EXPECT_NEAR(run(scheduled), run(own), 1e-14);
  EXPECT_GT(std::abs(run(teacher) - run(own)), 1e-3);
  scheduled.f64("own_rate")[0] = 0.5;
  std::vector<double> losses;
  for (int call = 0; call < 20; ++call) losses.push_back(run(scheduled));  // other coins at each call
  std::ranges::sort(losses);
  EXPECT_GT(losses.back() - losses.front(), 1e-3);
}

TEST_P(Modes, OwnFeedingReadsWhatGreedyWritingWrites) {
  const EncoderDecoder model = tiny(GetParam());
  const Weights weights = model.init(11);
  Program write = compile(write_function(model), weights);
  set_sources(write);
  write.resize({{"N", kSteps}});
  write.run();
  std::vector<int32_t> ids(write.i32("ids").begin(), write.i32("ids").end());
  Program teacher = compile_loss(model, weights, Feeding::teacher),
          own = compile_loss(model, weights, Feeding::own);
  teacher.set("target", ids);
  own.set("target", ids);
  EXPECT_NEAR(run(teacher), run(own), 1e-14);
  // The score is the log probability of what counts: each symbol up to the end.
  double score = 0, symbols = 0;
  for (int64_t b = 0; b < Sources::rows; ++b) {
    score += write.f64("score")[b];
    symbols += std::min<double>(kSteps, write.i32("lengths")[b] + 1);
  }
  EXPECT_NEAR(-score / symbols, run(teacher), 1e-12);
}

TEST(Modes, NativeFollowsTheEvaluator) {
  const EncoderDecoder model = tiny(Kind::additive);
  const Weights weights = model.init(3);
  const Function function = loss_function(model, Feeding::own);
  Reference reference(training_function(function, Adam{.lr = 0.01, .clip_norm = 1}), weights);
  set_inputs(reference);
  Program training = compile_training(function, Adam{.lr = 0.01, .clip_norm = 1}, weights);
  set_sources(training);
  training.resize({{"T", kSteps}});
  training.set("target", kTargets);
  for (int update = 0; update < 3; ++update) {
    training.run();
    reference.run();
    EXPECT_NEAR(training.f64("loss")[0], reference.scalar("loss"), 1e-12);
  }
}

TEST(Modes, DrawsFollowTheirProbabilities) {
  const EncoderDecoder model = tiny(Kind::dot);
  const Weights weights = model.init(5);
  const int64_t rows = 20000, most = 2;
  Program write = compile(write_function(model), weights);
  write.resize({{"S", 3}, {"B", rows}, {"N", most}});
  const int32_t source[] = {1, 0, 3};
  for (int64_t s = 0; s < 3; ++s) std::ranges::fill(write.i32("source").subspan(s * rows, rows), source[s]);
  std::ranges::fill(write.i32("source_lengths"), 3);
  write.f64("temperature")[0] = 1;
  write.i32("seed")[0] = 4;
  write.run();
  for (int32_t first = 0; first < kSymbols; ++first)
    for (int32_t second = 0; second < kSymbols; ++second) {
      int64_t seen = 0;
      double p = 0;
      for (int64_t b = 0; b < rows; ++b) {
        if (write.i32("ids")[b] != first || write.i32("ids")[rows + b] != second) continue;
        ++seen;
        p = std::exp(write.f64("score")[b]);
      }
      // p is 0 where nothing was seen: nothing follows the end.
      EXPECT_NEAR(static_cast<double>(seen) / rows, p, 0.01) << first << ", " << second;
    }
}

TEST(Modes, AttentionWeightsAreAnOutput) {
  for (Kind kind : {Kind::dot, Kind::additive}) {
    const EncoderDecoder model = tiny(kind);
    Program write = compile(write_function(model), model.init(5));
    set_sources(write);
    write.resize({{"N", kSteps}});
    write.run();
    const Sources sources;
    const std::span<double> weights = write.f64("attention");  // [N,S,B]
    for (int64_t n = 0; n < kSteps; ++n)
      for (int64_t b = 0; b < Sources::rows - 1; ++b) {  // the last row has nothing to attend to
        double sum = 0;
        for (int64_t s = 0; s < Sources::steps; ++s) {
          const double w = weights[(n * Sources::steps + s) * Sources::rows + b];
          EXPECT_EQ(w > 0, s < sources.lengths[b]);
          sum += w;
        }
        EXPECT_NEAR(sum, 1, 1e-14);
      }
  }
}

/// With a teacher the steps wait for the cell alone: what the symbols give is made before the loop, the
/// logits after it.
TEST(Modes, TeacherForcingLeavesOneProductInTheLoop) {
  for (Kind kind : {Kind::none, Kind::dot}) {
    const Function loss = loss_function(tiny(kind));
    const ir::Func func = passes::run_pipeline(loss.func, passes::kInference);
    EXPECT_EQ(count_in_scans(func, ir::OpKind::matmul),
              3);  // two of the encoder's cell, one of the decoder's
  }
}

/// The message, up to the number of the line that it names.
std::string error_of(const std::function<void()>& make) {
  try {
    make();
  } catch (const Error& e) {
    const std::string message = e.what();
    return message.substr(0, message.find(".cpp:"));
  }
  return "no error";
}

TEST(Modes, Errors) {
  const MakeLayer layer = [](Model& m, const std::string& name, int64_t in) { return Gru(m, name, in, 5); };
  Model m;
  EXPECT_EQ(error_of([&] { Decoder(m, "d", {.symbols = 3, .end = 3}, 4, 0, layer); }),
            "rondo: decoder `d`: the end symbol 3 is outside [0,3) (modes_test");
  EXPECT_EQ(error_of([&] { Decoder(m, "d", {.symbols = 0}, 4, 0, layer); }),
            "rondo: decoder `d`: 0 symbols (modes_test");
  EXPECT_EQ(error_of([&] { Decoder(m, "d", {.symbols = 3, .attention = Kind::dot}, 4, 6, layer); }),
            "rondo: attention `d.attention`: a dot product of queries of 5 and values of 6 (modes_test");
  const EncoderDecoder model = tiny(Kind::none);
  Program loss = compile_loss(model, model.init(1), Feeding::teacher);
  loss.i32("target")[4] = 3;
  EXPECT_EQ(error_of([&] { loss.run(); }), "target: 3 at [1,1] is outside [0,3)");
  loss.i32("target")[4] = 0;
  loss.i32("source")[0] = -1;
  EXPECT_EQ(error_of([&] { loss.run(); }), "source: -1 at [0,0] is outside [0,4)");
  loss.i32("source")[0] = 0;
  loss.i32("source_lengths")[2] = 5;
  EXPECT_EQ(error_of([&] { loss.run(); }), "source_lengths: 5 at [2] is outside [0,S], S = 4");
}

}  // namespace
}  // namespace rondo::test
