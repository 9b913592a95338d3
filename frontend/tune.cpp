#include "frontend/tune.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "codegen/code_cache.h"
#include "codegen/loops/schedule_choice.h"
#include "support/environment.h"
#include "support/error.h"

namespace rondo {

namespace {

using codegen::ScheduleChoice;

/// Which times are surely different, on machines that others use as well.
constexpr double kGain = 0.98;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Weights copy_of(const Weights& weights) {
  Weights copy;
  for (const auto& [name, buffer] : weights.all()) {
    Buffer own(buffer.dtype(), buffer.shape());
    if (buffer.bytes() > 0) std::memcpy(own.data(), buffer.data(), buffer.bytes());
    copy.add(name, own);
  }
  return copy;
}

/// A program of one schedule and the times of its turns.
struct Candidate {
  std::string schedule;
  Program program;
  std::vector<double> seconds;

  double median() const {
    std::vector<double> sorted = seconds;
    std::ranges::sort(sorted);
    return sorted[sorted.size() / 2];
  }
};

class Tuner {
 public:
  Tuner(const Function& function, const Weights& weights, const TuneOptions& options)
      : function_(function), weights_(copy_of(weights)), options_(options) {}

  TuneReport run() {
    // What was kept before is no candidate of its own.
    keep("");
    const codegen::Target target = codegen::target_for(options_.build.cpu, options_.build.features);
    const std::string tile = best_of(codegen::tiles_to_try(target));
    keep(best_of(codegen::panels_to_try(codegen::parse_schedule(tile))));
    return std::move(report_);
  }

 private:
  Program compiled(const std::string& schedule, bool keep) const {
    BuildOptions build = options_.build;
    build.schedule = schedule;
    build.keep_schedule = keep;
    return compile(function_, weights_, build);
  }

  void keep(const std::string& schedule) {
    compiled(schedule, true);
    report_.kept = schedule;
  }

  Candidate candidate(const std::string& schedule) const {
    // The model's own choice is what is kept until the end.
    Candidate c{schedule, compiled(schedule, false), {}};
    if (!options_.dims.empty()) c.program.resize(options_.dims);
    if (options_.fill) options_.fill(c.program);
    c.program.run();
    return c;
  }

  /// The fastest, and the best so far among them, in turns.
  std::string best_of(const std::vector<ScheduleChoice>& choices) {
    std::vector<Candidate> candidates;
    candidates.push_back(candidate(best_));
    for (const ScheduleChoice& choice : choices) candidates.push_back(candidate(codegen::to_string(choice)));
    for (int64_t round = 0; round < options_.rounds; ++round)
      for (Candidate& c : candidates) c.seconds.push_back(turn(c.program));
    double least = candidates.front().median() * kGain;
    for (const Candidate& c : candidates) {
      report_.trials.push_back({c.schedule, c.median()});
      if (c.median() < least) least = c.median(), best_ = c.schedule;
    }
    return best_;
  }

  double turn(Program& program) const {
    const double start = now();
    int64_t calls = 0;
    do {
      program.run();
      ++calls;
    } while (now() - start < options_.turn_seconds);
    return (now() - start) / static_cast<double>(calls);
  }

  const Function& function_;
  Weights weights_;
  const TuneOptions& options_;
  TuneReport report_;
  std::string best_;
};

}  // namespace

TuneReport tune(const Function& function, const Weights& weights, const TuneOptions& options) {
  if (!codegen::CodeCache::of_environment().on())
    throw Error("rondo: tune: RONDO_CACHE is off, and a schedule is kept in the code cache");
  if (!environment("RONDO_SCHEDULE").empty())
    throw Error("rondo: tune: RONDO_SCHEDULE tells the schedule; unset it");
  if (options.rounds < 1) throw Error("rondo: tune: at least one round");
  return Tuner(function, weights, options).run();
}

}  // namespace rondo
