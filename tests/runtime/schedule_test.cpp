#include "runtime/schedule.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "tests/runtime/util.h"

namespace rondo {
namespace {

using testing::error_of;
using Numbers = std::vector<double>;

void expect_rates(const Schedule& s, const Numbers& expected) {
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(s(static_cast<int64_t>(i)), expected[i], 1e-15) << i;
}

TEST(Schedule, ANumberAndAFunctionAreSchedules) {
  expect_rates(0.1, {0.1, 0.1});
  expect_rates({[](int64_t update) { return 1.0 / static_cast<double>(1 + update); }}, {1, 0.5, 1.0 / 3});
}

TEST(Schedule, StepsAndExponential) {
  expect_rates(0.2 * schedule::steps(2, 0.5), {0.2, 0.2, 0.1, 0.1, 0.05});
  expect_rates(0.2 * schedule::exponential(0.5), {0.2, 0.1, 0.05, 0.025});
}

TEST(Schedule, LinearAndCosineStayAtTheirEnd) {
  expect_rates(schedule::linear(1, 0.2, 4), {1, 0.8, 0.6, 0.4, 0.2, 0.2});
  const double h = std::sqrt(0.5);
  expect_rates(schedule::cosine(3, 1, 4), {3, 2 + h, 2, 2 - h, 1, 1});
}

TEST(Schedule, WarmUpRisesToWhatFollows) {
  expect_rates(schedule::warm_up(3, 0.4 * schedule::steps(1, 0.5)), {0.1, 0.2, 0.3, 0.4, 0.2, 0.1});
}

TEST(Schedule, OneAfterAnother) {
  expect_rates(schedule::sequence(0.3, 2, schedule::linear(0.3, 0.1, 2)), {0.3, 0.3, 0.3, 0.2, 0.1, 0.1});
}

TEST(Schedule, NoUpdatesAreNoSchedule) {
  for (int64_t n : {0, -1}) {
    EXPECT_NE(error_of([&] { schedule::steps(n, 0.5); }).find("are not over 0"), std::string::npos);
    EXPECT_NE(error_of([&] { schedule::linear(1, 0, n); }).find("are not over 0"), std::string::npos);
    EXPECT_NE(error_of([&] { schedule::warm_up(n, 1); }).find("are not over 0"), std::string::npos);
  }
}

Numbers scales(OnPlateau& plateau, const Numbers& measures) {
  Numbers result;
  for (double m : measures) result.push_back(plateau.observe(m));
  return result;
}

TEST(OnPlateau, CutsTheRateWhenPatienceEnds) {
  OnPlateau plateau({.factor = 0.5, .patience = 2});
  EXPECT_EQ(scales(plateau, {5, 4, 4, 4, 4, 3, 3, 3, 3}), (Numbers{1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25}));
}

TEST(OnPlateau, BetterIsByTheThresholdAndFarEnoughFromNaN) {
  OnPlateau plateau({.factor = 0.5, .patience = 0, .threshold = 0.1});
  EXPECT_EQ(scales(plateau, {1, 0.95, 0.89, NAN, 0.5, -1, -1.05, -1.2}),
            (Numbers{1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125}));
}

TEST(OnPlateau, CoolsDownAndHasALeast) {
  OnPlateau plateau({.factor = 0.5, .patience = 0, .cooldown = 2, .least = 0.3});
  EXPECT_EQ(scales(plateau, {1, 1, 1, 1, 1, 1, 1, 1}), (Numbers{1, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3}));
}

TEST(OnPlateau, ANoteKeepsItsMemory) {
  const Numbers measures = {3, 2.7, 2.71, 2.72, 2.9, 2.69999, 2.8, 2.6, 2.61, 2.62, 2.63};
  const OnPlateauOptions options{.factor = 0.3, .patience = 1, .cooldown = 1};
  OnPlateau whole(options);
  const Numbers expected = scales(whole, measures);
  EXPECT_LT(expected.back(), 0.5);
  for (size_t cut = 0; cut <= measures.size(); ++cut) {
    OnPlateau first(options), second(options);
    scales(first, {measures.begin(), measures.begin() + cut});
    second.from_note(first.to_note());
    EXPECT_EQ(scales(second, {measures.begin() + cut, measures.end()}),
              Numbers(expected.begin() + cut, expected.end()));
    EXPECT_EQ(second.to_note(), whole.to_note());
  }
}

TEST(OnPlateau, RefusesWhatIsNone) {
  OnPlateau plateau;
  for (const char* note : {"", "1 2 3", "1 2 3 4 5", "0 1 0 0", "2 1 0 0", "1 nan 0 0", "1 1 -1 0", "one"})
    EXPECT_NE(error_of([&] { plateau.from_note(note); }).find("is no note"), std::string::npos) << note;
  EXPECT_NE(error_of([] { OnPlateau({.factor = 1}); }).find("not in (0,1)"), std::string::npos);
  EXPECT_NE(error_of([] { OnPlateau({.patience = -1}); }).find("not from 0"), std::string::npos);
}

}  // namespace
}  // namespace rondo
