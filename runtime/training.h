// The training loop: updates of a compiled training program until the end, Ctrl-C, or a loss that is no
// number.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "runtime/program.h"
#include "runtime/schedule.h"

namespace rondo {

/// While it lives, the first Ctrl-C (SIGINT) or SIGTERM is a request to stop; a second one ends the process.
/// One object at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  bool requested() const;
};

struct TrainingPlan {
  int64_t first = 0, last = 0;  // updates first .. last-1; `first` are done already, and saved
  std::string loss = "loss";    // the program's output, a scalar f32 or f64
  double smoothing = 0.95;      // weight of the past in the smoothed loss
  int64_t save_every = 0;       // 0: only at the end of the loop, or at a stop

  /// Fills the inputs of an update: the batch.
  std::function<void(int64_t update)> fill;
  /// The program's "lr" at each update; what it is already, if there is none.
  std::optional<Schedule> rate = {};
  /// Writes a checkpoint; may be empty. All weights are finite then.
  std::function<void(int64_t updates_done)> save = {};
  /// Told of each update; may be empty.
  std::function<void(int64_t updates_done, double loss, double smoothed)> report = {};
  const Interrupt* interrupt = nullptr;
};

struct TrainingResult {
  int64_t updates_done = 0;  // those before the loop included
  double loss = 0, smoothed = 0;
  bool interrupted = false;
};

/// Runs the plan. Throws Error, saying at which update, if the loss or a weight becomes NaN or infinite;
/// nothing is saved then, so that the last checkpoint stays good.
TrainingResult train(Program& program, const TrainingPlan& plan);

}  // namespace rondo
