// A training run on one text: its programs, its checkpoints, its log.
#pragma once

#include <fstream>
#include <optional>
#include <string>

#include "examples/char_lm/model.h"
#include "runtime/checkpoint.h"
#include "runtime/progress.h"
#include "runtime/text_data.h"
#include "runtime/training.h"

struct Settings {
  ModelSettings model;
  std::string text, out = "out", prime;
  int64_t batch = 50, steps = 50, sample = 500;
  std::optional<int64_t> epochs;  // or else:
  std::optional<double> minutes;
  std::optional<int32_t> top_k;
  double rate = 1e-2, temperature = 0.8;
  uint64_t seed = 1;
  bool resume = false;
};

class Session {
 public:
  explicit Session(const Settings& settings);

  /// Trains to the end, with the held-out loss and a checkpoint after each epoch (or so many). False if
  /// Ctrl-C stopped it, with a checkpoint.
  bool train();
  /// The held-out loss, in nats a character, from a state of zeros that is carried through.
  double held_out_loss();
  /// `count` characters that follow the prime, in one native call.
  std::string sample(int64_t count);
  /// The trained model as a static library that generates, and its symbols and the prime as arrays of C and
  /// of JavaScript.
  void write_library(const std::string& directory, const std::string& target);

 private:
  rondo::Schedule learning_rate() const;
  int64_t updates_in(double minutes);
  /// The updates before `last` that are not done. False if Ctrl-C stopped it.
  bool train_until(int64_t last, rondo::Progress& progress, const rondo::Interrupt& interrupt);
  void save();
  void load();
  void log(const std::string& line, rondo::Progress* progress = nullptr);
  rondo::Checkpoint checkpoint();
  std::string file(const char* name) const { return settings_.out + "/" + name; }

  Settings settings_;
  std::string text_;
  rondo::Vocabulary vocabulary_;
  rondo::TextWindows windows_;
  std::vector<int32_t> prime_;
  CharLm model_;
  rondo::Weights weights_;
  rondo::BuildTimes build_;
  rondo::Program training_, loss_;
  std::ofstream log_;
  int64_t done_ = 0, total_ = 0;  // updates
};
