// What the amp is trained on: a guitar, and an amplifier of formulas that stands for a real one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include <cmath>

inline constexpr double kRate = 48'000;  // samples a second

/// So many samples of a guitar that is plucked at random (Karplus and Strong 1983), within [-1, 1].
std::vector<float> pluck_guitar(uint64_t seed, size_t samples);

/// Follows a signal below a frequency in Hz.
class LowPass {
 public:
  explicit LowPass(double frequency) : share_(1 - std::exp(-2 * std::numbers::pi * frequency / kRate)) {}
  double operator()(double x) { return value_ += share_ * (x - value_); }

 private:
  double share_, value_ = 0;
};

/// Takes bass away, clips the two halves of the wave unlike each other, takes treble away, then what is
/// constant.
class TubeAmp {
 public:
  float operator()(float x);

 private:
  LowPass bass_{150}, treble_{5000}, constant_{20};
};
