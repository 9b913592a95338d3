#include "signals.h"

#include <rondo/rondo.h>

#include <algorithm>
#include <array>

namespace {

/// A line of noise that goes round, and of which every two neighbours become their mean: the treble dies
/// first.
class String {
 public:
  void pluck(double frequency, double strength, rondo::Random& random) {
    line_.resize(static_cast<size_t>(kRate / frequency));
    for (double& x : line_) x = strength * (2 * random.uniform() - 1);
    at_ = 0;
  }

  double next() {
    if (line_.empty()) return 0;
    const size_t after = at_ + 1 == line_.size() ? 0 : at_ + 1;
    const double x = line_[at_];
    line_[at_] = 0.498 * (x + line_[after]);
    at_ = after;
    return x;
  }

 private:
  std::vector<double> line_;
  size_t at_ = 0;
};

}  // namespace

std::vector<float> pluck_guitar(uint64_t seed, size_t samples) {
  constexpr std::array<double, 6> kOpen = {82.41, 110.00, 146.83, 196.00, 246.94, 329.63};  // E A D G B E, Hz
  rondo::Random random(seed);
  const auto below = [&](int n) { return static_cast<int>(random.uniform() * n); };
  std::array<String, 6> strings;
  std::vector<float> signal(samples);
  size_t next_pluck = 0;
  for (size_t i = 0; i < samples; ++i) {
    if (i == next_pluck) {
      const auto string = static_cast<size_t>(below(6));
      strings[string].pluck(kOpen[string] * std::exp2(below(13) / 12.0), 0.1 + 0.5 * random.uniform(),
                            random);
      next_pluck +=
          static_cast<size_t>(kRate * (random.uniform() < 0.3 ? 0.02 : 0.1 + 0.4 * random.uniform()));
    }
    double sum = 0;
    for (String& s : strings) sum += s.next();
    signal[i] = static_cast<float>(std::clamp(sum, -1.0, 1.0));
  }
  return signal;
}

float TubeAmp::operator()(float x) {
  const double tight = x - bass_(x);
  const double driven = 4 * tight + 0.2;
  const double clipped = driven > 0 ? std::tanh(driven) : 0.6 * std::tanh(driven / 0.6);
  const double warm = treble_(clipped);
  return static_cast<float>(0.5 * (warm - constant_(warm)));
}
