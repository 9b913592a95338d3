// Learning-rate schedules: plain functions of the number of updates done. The rate is an input of a training
// program, so that changing it compiles nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

namespace rondo {

/// The rate of update 0, 1, 2 ... A number is one, and so is any function of the update.
class Schedule {
 public:
  Schedule(double rate) : rate_([rate](int64_t) { return rate; }) {}                // NOLINT: implicit
  Schedule(std::function<double(int64_t update)> rate) : rate_(std::move(rate)) {}  // NOLINT
  double operator()(int64_t update) const { return rate_(update); }

 private:
  std::function<double(int64_t)> rate_;
};

/// The product of two, one of them often a number: a shape and its scale.
Schedule operator*(const Schedule& a, const Schedule& b);

/// Schedules start at 1 unless they are given rates, so that they multiply. Throw Error for a number of
/// updates that is not over 0.
namespace schedule {

/// factor^n after n times `every` updates.
Schedule steps(int64_t every, double factor);
/// factor^update
Schedule exponential(double factor);
/// From one rate to another in a straight line over so many updates; stays there.
Schedule linear(double from, double to, int64_t updates);
/// The same along half a wave of the cosine (Loshchilov and Hutter 2017).
Schedule cosine(double from, double to, int64_t updates);
/// The first `updates` updates by one schedule, all later ones by the other, which starts from its own update
/// 0.
Schedule sequence(const Schedule& first, int64_t updates, const Schedule& then);
/// Rises in a straight line to the rate that `then` starts with, over so many updates, and goes on as `then`.
Schedule warm_up(int64_t updates, const Schedule& then);

}  // namespace schedule

struct OnPlateauOptions {
  double factor = 0.1;
  int64_t patience = 10;    // so many measures may be no better than the best; the next one cuts the rate
  double threshold = 1e-4;  // better is below (1 - threshold) best
  int64_t cooldown = 0;     // so many measures after a cut count for nothing
  double least = 0;         // of the scale
};

/// A scale of the learning rate that falls whenever a measure, such as a held-out loss, stops falling;
/// PyTorch's ReduceLROnPlateau in its defaults. It is the only schedule with a memory: a checkpoint's note
/// keeps it.
class OnPlateau {
 public:
  explicit OnPlateau(const OnPlateauOptions& options = {});

  /// Takes the next measure and gives the scale from here on, 1 at first. No number is no better than any.
  double observe(double measure);
  double scale() const { return scale_; }

  /// The memory as a line of text, exact, and back. Throws Error for a text that is none.
  std::string to_note() const;
  void from_note(const std::string& note);

 private:
  OnPlateauOptions options_;
  double scale_ = 1, best_ = std::numeric_limits<double>::infinity();
  int64_t waited_ = 0, cooling_ = 0;
};

}  // namespace rondo
