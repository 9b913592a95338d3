// Beam search against the log probabilities of all sequences there are.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "support/error.h"
#include "tests/frontend/reference.h"
#include "tests/seq2seq/models.h"

namespace rondo::test {
namespace {

constexpr int64_t kMost = 4;  // symbols of a sequence

using Sequence = std::vector<int32_t>;  // up to its end symbol
struct Scored {
  Sequence ids;
  double score;
};

/// The log probability of a sequence, by the model's loss.
class LogProbability {
 public:
  LogProbability(const SequenceWriter& model, const Weights& weights)
      : loss_(compile(loss_function(model), weights)) {}

  double operator()(const Sequence& ids, int64_t row) {
    if (ids.empty()) return 0;
    loss_.resize({{"S", Sources::steps}, {"B", 1}, {"T", static_cast<int64_t>(ids.size())}});
    const Sources sources;
    for (int64_t s = 0; s < Sources::steps; ++s)
      loss_.i32("source")[s] = sources.ids[s * Sources::rows + row];
    loss_.i32("source_lengths")[0] = sources.lengths[row];
    loss_.set("target", ids);
    loss_.run();
    return -loss_.f64("loss")[0] * static_cast<double>(ids.size());
  }

 private:
  Program loss_;
};

double rank(const Sequence& ids, double log_p, double power) {
  return log_p / std::pow(std::max<double>(1, static_cast<double>(ids.size())), power);
}

/// The K best of all continuations of the K best, from the empty sequence on.
std::vector<Scored> search(LogProbability& log_p, int64_t row, int64_t width, double power) {
  std::vector<Scored> beam = {{{}, 0}};
  for (int64_t n = 0; n < kMost; ++n) {
    std::vector<Scored> next;
    for (const Scored& s : beam) {
      if (!s.ids.empty() && s.ids.back() == kEnd) {
        next.push_back(s);
        continue;
      }
      for (int32_t id = 0; id < kSymbols; ++id) {
        Sequence longer = s.ids;
        longer.push_back(id);
        next.push_back({longer, rank(longer, log_p(longer, row), power)});
      }
    }
    std::ranges::sort(next, std::greater<>(), &Scored::score);
    if (next.size() > static_cast<size_t>(width)) next.resize(width);
    beam = next;
  }
  return beam;
}

struct Found {
  Numbers ids, lengths, scores;
};

Program compile_beam(const SequenceWriter& model, const Weights& weights, int64_t width) {
  const Sources sources;
  Program beam = compile(beam_function(model, {.width = width}), weights);
  beam.resize({{"S", Sources::steps}, {"B", Sources::rows}, {"N", kMost}});
  beam.set("source", sources.ids);
  beam.set("source_lengths", sources.lengths);
  return beam;
}

Found run(Program& beam, double power) {
  beam.f64("length_power")[0] = power;
  beam.run();
  return {array_of(beam.buffer("ids")).data, array_of(beam.buffer("lengths")).data,
          array_of(beam.buffer("scores")).data};
}

Found evaluate(const Function& function, const Weights& weights, double power) {
  const Sources sources;
  Reference beam(function, weights);
  beam.set("source", {Sources::steps, Sources::rows}, Numbers(sources.ids.begin(), sources.ids.end()));
  beam.set("source_lengths", {Sources::rows}, Numbers(sources.lengths.begin(), sources.lengths.end()));
  beam.set("length_power", {}, {power});
  beam.run({{"N", kMost}});
  return {beam.at("ids").data, beam.at("lengths").data, beam.at("scores").data};
}

void expect_found(const Found& found, int64_t row, int64_t width, const std::vector<Scored>& expected) {
  for (int64_t k = 0; k < width; ++k) {
    SCOPED_TRACE("row " + std::to_string(row) + ", sequence " + std::to_string(k));
    if (k >= static_cast<int64_t>(expected.size())) {
      EXPECT_EQ(found.scores[row * width + k], -1e30);
      continue;
    }
    const Scored& e = expected[k];
    EXPECT_NEAR(found.scores[row * width + k], e.score, 1e-12);
    Sequence ids = e.ids;
    const bool ends = !ids.empty() && ids.back() == kEnd;
    EXPECT_EQ(found.lengths[row * width + k], static_cast<double>(ids.size() - ends));
    ids.resize(kMost, kEnd);
    for (int64_t n = 0; n < kMost; ++n)
      EXPECT_EQ(found.ids[(n * Sources::rows + row) * width + k], ids[n]) << "symbol " << n;
  }
}

class BeamSearch : public ::testing::TestWithParam<Attention::Kind> {};
INSTANTIATE_TEST_SUITE_P(Attention, BeamSearch,
                         ::testing::Values(Attention::Kind::none, Attention::Kind::dot,
                                           Attention::Kind::additive));

TEST_P(BeamSearch, KeepsTheBestOfEachStep) {
  const EncoderDecoder model = tiny(GetParam());
  const Weights weights = model.init(5);
  const int64_t width = 3;
  LogProbability log_p(model, weights);
  Program beam = compile_beam(model, weights, width);
  for (double power : {0.0, 0.7}) {
    SCOPED_TRACE("power " + std::to_string(power));
    const Found native = run(beam, power);
    const Found evaluated = evaluate(beam_function(model, {.width = width}), weights, power);
    for (int64_t row = 0; row < Sources::rows; ++row) {
      const std::vector<Scored> expected = search(log_p, row, width, power);
      expect_found(native, row, width, expected);
      expect_found(evaluated, row, width, expected);
    }
  }
}

/// A beam of 31 holds every sequence of up to 4 symbols, ended or not: the search is then exhaustive.
TEST(Beam, AsWideAsThereAreSequencesFindsThemAll) {
  const EncoderDecoder model = tiny(Attention::Kind::dot);
  const Weights weights = model.init(5);
  const int64_t width = 33;  // the other 2 are none
  LogProbability log_p(model, weights);
  Program beam = compile_beam(model, weights, width);
  for (double power : {0.0, 1.0}) {
    SCOPED_TRACE("power " + std::to_string(power));
    const Found all = run(beam, power);
    for (int64_t row = 0; row < Sources::rows; ++row) {
      const std::vector<Scored> expected = search(log_p, row, width, power);
      EXPECT_EQ(expected.size(), 31u);
      expect_found(all, row, width, expected);
      double sum = 0;
      for (const Scored& s : expected) sum += std::exp(log_p(s.ids, row));
      EXPECT_NEAR(sum, 1, 1e-12);
    }
  }
}

TEST_P(BeamSearch, OfOneIsGreedyWriting) {
  const EncoderDecoder model = tiny(GetParam());
  const Weights weights = model.init(8);
  Program one = compile_beam(model, weights, 1);
  const Found beam = run(one, 0);
  const Sources sources;
  Program greedy = compile(write_function(model), weights);
  greedy.resize({{"S", Sources::steps}, {"B", Sources::rows}, {"N", kMost}});
  greedy.set("source", sources.ids);
  greedy.set("source_lengths", sources.lengths);
  greedy.run();
  EXPECT_EQ(beam.ids, array_of(greedy.buffer("ids")).data);
  EXPECT_EQ(beam.lengths, array_of(greedy.buffer("lengths")).data);
  const Numbers score = array_of(greedy.buffer("score")).data;
  for (int64_t row = 0; row < Sources::rows; ++row) EXPECT_NEAR(beam.scores[row], score[row], 1e-12);
}

TEST(Beam, NoSymbolsAreAnEmptySequence) {
  const EncoderDecoder model = tiny(Attention::Kind::none);
  Program beam = compile(beam_function(model, {.width = 2}), model.init(1));
  beam.resize({{"S", 0}, {"B", 1}, {"N", 0}});
  beam.run();
  EXPECT_EQ(array_of(beam.buffer("lengths")).data, (Numbers{0, 0}));
  EXPECT_EQ(array_of(beam.buffer("scores")).data, (Numbers{0, -1e30}));
}

TEST(Beam, RefusesAWidthOfNone) {
  const EncoderDecoder model = tiny(Attention::Kind::none);
  try {
    beam_function(model, {.width = 0});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with("rondo: beam_function: a beam of 0 (beam_test.cpp:"));
  }
}

}  // namespace
}  // namespace rondo::test
