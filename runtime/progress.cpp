#include "runtime/progress.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace rondo {
namespace {

constexpr double kLiveSeconds = 0.1, kPlainSeconds = 5;
constexpr int kBarMin = 12, kBarMax = 40;

/// "1:05", "2:00:00"; a time that is not known yet is "-:--".
std::string clock_text(double seconds) {
  if (!std::isfinite(seconds) || seconds > 1e7) return "-:--";
  const auto s = static_cast<int64_t>(std::llround(seconds));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

/// "950", "12.3k", "1.25M".
std::string rate_text(double rate) {
  if (rate < 1e3) return fmt::format("{:.0f}", rate);
  if (rate < 1e6) return fmt::format("{:.1f}k", rate / 1e3);
  return fmt::format("{:.2f}M", rate / 1e6);
}

double bits(double nats) { return nats / std::numbers::ln2; }

std::string bar(const ProgressState& s, int width) {
  const double part =
      s.total > 0 ? std::clamp(static_cast<double>(s.done) / static_cast<double>(s.total), 0.0, 1.0) : 0;
  const int inner = width - 2, filled = static_cast<int>(part * inner);
  return fmt::format("[{:=<{}}{:{}}]", "", filled, "", inner - filled);
}

}  // namespace

std::string progress_line(const ProgressState& s, int width) {
  const std::vector<std::string> pieces = {
      // the most wanted first
      fmt::format("loss {:.4f}", s.loss),
      fmt::format("{} left", clock_text(s.seconds_left)),
      fmt::format("{:.3f} bits/char", bits(s.loss)),
      fmt::format("{} char/s", rate_text(s.characters_per_second)),
      fmt::format("{}/{}", s.done, s.total),
  };
  std::string line;
  for (const std::string& piece : pieces) {
    const std::string longer = line.empty() ? piece : line + "  " + piece;
    if (static_cast<int>(longer.size()) > width) break;
    line = longer;
  }
  const int room = std::min(width - static_cast<int>(line.size()) - 2, kBarMax);
  return room < kBarMin ? line : bar(s, room) + "  " + line;
}

std::string progress_text(const ProgressState& s) {
  return fmt::format("update {}/{}: loss {:.4f}, {:.3f} bits/char, {} char/s, {} left", s.done, s.total,
                     s.loss, bits(s.loss), rate_text(s.characters_per_second), clock_text(s.seconds_left));
}

ProgressOptions ProgressOptions::detect(std::FILE* file) {
  ProgressOptions options;
  options.file = file;
  const int fd = ::fileno(file);
  options.terminal = ::isatty(fd) == 1;
  options.width = [fd] {
    struct winsize size = {};
    return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? static_cast<int>(size.ws_col) : 80;
  };
  return options;
}

Progress::Progress(int64_t total, int64_t characters_per_update, int64_t done, ProgressOptions options)
    : options_(std::move(options)),
      total_(total),
      characters_(characters_per_update),
      first_(done),
      done_(done) {
  start_ = shown_at_ = options_.seconds();
}

ProgressState Progress::state() const {
  const double elapsed = options_.seconds() - start_;
  const auto here = static_cast<double>(done_ - first_);
  const double rate = elapsed > 0 ? here / elapsed : 0;  // updates per second
  return {.done = done_,
          .total = total_,
          .loss = loss_,
          .characters_per_second = rate * static_cast<double>(characters_),
          .seconds_left = static_cast<double>(total_ - done_) / rate};
}

void Progress::update(int64_t done, double loss) {
  done_ = done;
  loss_ = loss;
  if (options_.seconds() - shown_at_ >= (options_.terminal ? kLiveSeconds : kPlainSeconds)) show();
}

void Progress::show() {
  shown_at_ = options_.seconds();
  shown_ = done_;
  if (options_.terminal) {
    // One column stays free: a full last column makes some terminals wrap. ESC [K clears the rest of a longer
    // line before.
    fmt::print(options_.file, "\r{}\x1b[K", progress_line(state(), options_.width() - 1));
    on_line_ = true;
  } else {
    fmt::print(options_.file, "{}\n", progress_text(state()));
  }
  std::fflush(options_.file);
}

void Progress::note(const std::string& line) {
  fmt::print(options_.file, "{}{}\n", on_line_ ? "\r\x1b[K" : "", line);
  std::fflush(options_.file);
  on_line_ = false;
}

void Progress::finish() {
  if (done_ != first_ && shown_ != done_) show();
  if (on_line_) fmt::print(options_.file, "\n");
  std::fflush(options_.file);
  on_line_ = false;
}

}  // namespace rondo
