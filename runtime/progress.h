// The progress of a training run: one live line on a terminal, plain lines now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

namespace rondo {

struct ProgressState {
  int64_t done = 0, total = 0;  // updates
  double loss = 0;              // nats per character
  double characters_per_second = 0;
  double seconds_left = 0;
};

/// One line of at most `width` columns: a bar, then as much of the rest as fits, the loss first.
std::string progress_line(const ProgressState& state, int width);
/// The same as a sentence, for logs.
std::string progress_text(const ProgressState& state);

/// Where and how often a Progress writes; what is left out is found out.
struct ProgressOptions {
  std::FILE* file = stdout;
  bool terminal = false;  // rewrites one line, at most 10 times a second; else a line at most every 5 seconds
  std::function<int()> width = [] { return 80; };  // columns of the terminal, asked for each line
  std::function<double()> seconds = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  /// For this file: asks the system whether it is a terminal, and for its width.
  static ProgressOptions detect(std::FILE* file = stdout);
};

class Progress {
 public:
  /// `done` updates of `total` are done before the start (a resumed run).
  Progress(int64_t total, int64_t characters_per_update, int64_t done = 0,
           ProgressOptions options = ProgressOptions::detect());
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(int64_t done, double loss);
  /// A line of its own between the progress lines.
  void note(const std::string& line);
  /// Shows the last state, if it is not on show already, and ends the line.
  void finish();

 private:
  ProgressState state() const;
  void show();

  ProgressOptions options_;
  int64_t total_, characters_, first_, done_;
  double loss_ = 0, start_, shown_at_;
  int64_t shown_ = -1;    // updates done when last shown
  bool on_line_ = false;  // the cursor stands behind a live line
};

}  // namespace rondo
