// Schedules that are told, measured and kept: results do not depend on them.
#include <gtest/gtest.h>

#include <algorithm>

#include "codegen/loops/schedule_choice.h"
#include "rondo/rondo.h"
#include "tests/frontend/models.h"
#include "tests/runtime/util.h"
#include "tests/support/environment.h"

namespace rondo::test {
namespace {

using codegen::parse_schedule;
using rondo::testing::error_of;
using rondo::testing::read_text;
using rondo::testing::TempDir;

/// Large enough for blocks and for more than one tile of rows, with rows and columns that are left over.
struct Net : CellModel<Lstm> {
  Net() : CellModel(f32, 5, [](Model& m) { return Lstm(m, "lstm", 40, 37); }) {}
};

Function training(const Net& net) {
  return training_function(loss_function(net, {f32, {40}}, {f32, {5}}, mse), Sgd{.lr = 0.1});
}

const ir::DimValues kCall = {{"T", 9}, {"B", 19}};

void fill(Program& program) {
  for (const char* name : {"x", "target"}) {
    auto values = program.f32(name);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 37 % 101) / 101 - 0.5f;
  }
}

std::vector<float> all_of(const Weights& weights) {
  std::vector<float> all;
  for (const auto& [name, buffer] : weights.all()) {
    const auto* values = static_cast<const float*>(buffer.data());
    all.insert(all.end(), values, values + buffer.count());
  }
  return all;
}

/// All weights after two updates.
std::vector<float> trained(const Net& net, const BuildOptions& options) {
  Weights weights = net.init(3);
  Program program = compile(training(net), weights, options);
  program.resize(kCall);
  fill(program);
  program.run();
  program.run();
  return all_of(weights);
}

TEST(Schedules, AreTexts) {
  for (const char* text : {"", "tile=6x2", "panel=64", "tile=15x8,panel=1"})
    EXPECT_EQ(to_string(parse_schedule(text)), text);
  for (const char* text :
       {"tile", "tile=6", "tile=1x2", "tile=6x0", "tile=6x2x", "panel=0", "panel=64,rows=3", "tile=99x2"})
    EXPECT_EQ(
        error_of([&] { parse_schedule(text); }).find("rondo: schedule `" + std::string(text) + "`: not "), 0u)
        << text;
}

TEST(Schedules, LeaveTheBitsAlone) {
  const Net net;
  const std::vector<float> expected = trained(net, {});
  std::vector<codegen::ScheduleChoice> choices = codegen::tiles_to_try(codegen::target_for());
  for (const codegen::ScheduleChoice& panel : codegen::panels_to_try({3, 2, 0})) choices.push_back(panel);
  choices.push_back({0, 0, 1});
  BuildOptions options;
  for (const codegen::ScheduleChoice& choice : choices) {
    options.schedule = to_string(choice);
    options.threads = 3 - options.threads;
    EXPECT_EQ(trained(net, options), expected) << options.schedule << ", threads " << options.threads;
  }
}

TEST(Schedules, AreReportedAndFoundWhereTheyWereKept) {
  const TempDir dir;
  const Environment cache("RONDO_CACHE", dir.file("cache"));
  const Net net;
  BuildOptions seen;
  seen.dump_dir = dir.file("before");
  trained(net, seen);
  const std::string report = "/loss.training/22-schedule.txt";
  EXPECT_NE(read_text(seen.dump_dir + report).find("gemm: tile="), std::string::npos);
  EXPECT_EQ(read_text(seen.dump_dir + report).find("as told"), std::string::npos);

  BuildOptions kept;
  kept.schedule = "tile=3x2", kept.keep_schedule = true;
  trained(net, kept);
  seen.dump_dir = dir.file("after");
  trained(net, seen);
  EXPECT_NE(read_text(seen.dump_dir + report).find("tile=3x"), std::string::npos);
  EXPECT_NE(read_text(seen.dump_dir + report).find("as told"), std::string::npos);
}

TEST(Tuning, KeepsOneOfItsTrials) {
  const TempDir dir;
  const Environment cache("RONDO_CACHE", dir.file("cache"));
  const Net net;
  const Weights weights = net.init(3);
  const std::vector<float> before = all_of(weights);
  TuneOptions options;
  options.dims = kCall;
  options.fill = fill;
  options.rounds = 1, options.turn_seconds = 0;
  const TuneReport report = tune(training(net), weights, options);
  EXPECT_GT(report.trials.size(), codegen::tiles_to_try(codegen::target_for()).size());
  EXPECT_TRUE(std::ranges::any_of(report.trials, [&](const auto& t) { return t.schedule == report.kept; }));
  EXPECT_EQ(all_of(weights), before);
}

TEST(Tuning, NeedsSomewhereToKeepTheSchedule) {
  const Net net;
  const Environment off("RONDO_CACHE", "off");
  EXPECT_EQ(error_of([&] { tune(training(net), net.init(3), {.dims = kCall}); }),
            "rondo: tune: RONDO_CACHE is off, and a schedule is kept in the code cache");
}

}  // namespace
}  // namespace rondo::test
