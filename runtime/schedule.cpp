#include "runtime/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <utility>

#include "support/error.h"

namespace rondo {
namespace {

int64_t positive(int64_t updates) {
  if (updates <= 0) throw Error(fmt::format("rondo: schedule: {} updates are not over 0", updates));
  return updates;
}

/// from to `to`, along a shape that goes from 0 to 1.
Schedule ramp(double from, double to, int64_t updates, double (*shape)(double)) {
  return {[=, n = static_cast<double>(positive(updates))](int64_t update) {
    const double done = std::min(static_cast<double>(update) / n, 1.0);
    return from + (to - from) * shape(done);
  }};
}

}  // namespace

Schedule operator*(const Schedule& a, const Schedule& b) {
  return {[=](int64_t update) { return a(update) * b(update); }};
}

namespace schedule {

Schedule steps(int64_t every, double factor) {
  positive(every);
  return {[=](int64_t update) { return std::pow(factor, static_cast<double>(update / every)); }};
}

Schedule exponential(double factor) { return steps(1, factor); }

Schedule linear(double from, double to, int64_t updates) {
  return ramp(from, to, updates, [](double x) { return x; });
}

Schedule cosine(double from, double to, int64_t updates) {
  return ramp(from, to, updates, [](double x) { return (1 - std::cos(std::numbers::pi * x)) / 2; });
}

Schedule sequence(const Schedule& first, int64_t updates, const Schedule& then) {
  positive(updates);
  return {[=](int64_t update) { return update < updates ? first(update) : then(update - updates); }};
}

// Update i has (i + 1) / (updates + 1) of the rate: the first is not 0, and the one after the rise is all of
// it.
Schedule warm_up(int64_t updates, const Schedule& then) {
  positive(updates);
  const double n = static_cast<double>(updates) + 1;
  return sequence(linear(then(0) / n, then(0), updates), updates, then);
}

}  // namespace schedule

OnPlateau::OnPlateau(const OnPlateauOptions& options) : options_(options) {
  const OnPlateauOptions& o = options_;
  if (!(o.factor > 0 && o.factor < 1))
    throw Error(fmt::format("rondo: on plateau: a factor of {} is not in (0,1)", o.factor));
  if (o.patience < 0 || o.cooldown < 0)
    throw Error(
        fmt::format("rondo: on plateau: patience {} and cooldown {} are not from 0", o.patience, o.cooldown));
}

double OnPlateau::observe(double measure) {
  const bool is_better = best_ == std::numeric_limits<double>::infinity()
                             ? measure < best_
                             : measure < best_ - options_.threshold * std::abs(best_);
  waited_ = is_better ? 0 : waited_ + 1;
  if (is_better) best_ = measure;
  if (cooling_ > 0) --cooling_, waited_ = 0;
  if (waited_ > options_.patience) {
    scale_ = std::max(scale_ * options_.factor, options_.least);
    cooling_ = options_.cooldown;
    waited_ = 0;
  }
  return scale_;
}

std::string OnPlateau::to_note() const {
  return fmt::format("{:a} {:a} {} {}", scale_, best_, waited_, cooling_);
}

void OnPlateau::from_note(const std::string& note) {
  double scale = 0, best = 0;
  long long waited = -1, cooling = -1;
  int end = 0;
  const int read = std::sscanf(note.c_str(), "%la %la %lld %lld%n", &scale, &best, &waited, &cooling, &end);
  if (read != 4 || static_cast<size_t>(end) != note.size() || !(scale > 0 && scale <= 1) ||
      std::isnan(best) || waited < 0 || cooling < 0)
    throw Error(fmt::format("rondo: on plateau: `{}` is no note of one", note));
  scale_ = scale, best_ = best, waited_ = waited, cooling_ = cooling;
}

}  // namespace rondo
