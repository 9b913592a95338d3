#include "runtime/training.h"

#include <cmath>
#include <csignal>

#include <fmt/format.h>

namespace rondo {
namespace {

volatile std::sig_atomic_t stop_requested = 0;
struct sigaction old_int, old_term;

void request_stop(int) { stop_requested = 1; }

double read_scalar(const Program& program, const std::string& name) {
  const Buffer& buffer = program.buffer(name);
  if (buffer.count() != 1)
    throw Error(fmt::format("{} is {}, not a scalar", name, to_string(buffer.dtype(), buffer.shape())));
  return buffer.dtype() == DType::f64 ? buffer.as<double>()[0] : buffer.as<float>()[0];
}

}  // namespace

Interrupt::Interrupt() {
  stop_requested = 0;
  struct sigaction action = {};
  action.sa_handler = request_stop;
  action.sa_flags = SA_RESETHAND | SA_RESTART;  // the second signal meets the default: it ends the process
  ::sigaction(SIGINT, &action, &old_int);
  ::sigaction(SIGTERM, &action, &old_term);
}

Interrupt::~Interrupt() {
  ::sigaction(SIGINT, &old_int, nullptr);
  ::sigaction(SIGTERM, &old_term, nullptr);
}

bool Interrupt::requested() const { return stop_requested != 0; }

TrainingResult train(Program& program, const TrainingPlan& plan) {
  TrainingResult result{.updates_done = plan.first};
  int64_t saved = plan.first;
  const auto fail = [&](const std::string& what) {
    const std::string kept = saved > 0 ? fmt::format("the checkpoint of update {} stays", saved)
                                       : "no checkpoint was written before";
    return Error(fmt::format("{} at update {}: training stops; {}", what, result.updates_done, kept));
  };
  const auto save = [&] {
    if (!plan.save || saved == result.updates_done) return;
    if (!program.weights().all_finite()) throw fail("a weight is NaN or infinite");
    plan.save(result.updates_done);
    saved = result.updates_done;
  };

  for (int64_t update = plan.first; update < plan.last && !result.interrupted; ++update) {
    plan.fill(update);
    if (plan.rate) program.set_scalar("lr", (*plan.rate)(update));
    program.run();
    result.loss = read_scalar(program, plan.loss);
    result.updates_done = update + 1;
    if (!std::isfinite(result.loss))
      throw fail(fmt::format("the loss is {}", std::isnan(result.loss) ? "NaN" : "infinite"));
    result.smoothed = update == plan.first
                          ? result.loss
                          : plan.smoothing * result.smoothed + (1 - plan.smoothing) * result.loss;
    if (plan.report) plan.report(result.updates_done, result.loss, result.smoothed);
    if (plan.save_every > 0 && result.updates_done % plan.save_every == 0) save();
    result.interrupted = plan.interrupt && plan.interrupt->requested();
  }
  save();
  return result;
}

}  // namespace rondo
