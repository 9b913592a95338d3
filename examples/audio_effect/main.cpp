// Plays a recording through the amp, block by block, as a host calls an effect. See README.md.
#include <sndfile.hh>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "amp.hpp"

namespace {

constexpr int kRate = 48'000;  // the amp is a filter as well, so it has one rate

/// The effect as a plugin has it: all memory is there before the first block.
class Effect {
 public:
  bool ready() const { return static_cast<bool>(stream_); }
  void start() { stream_.reset(); }
  /// The real-time callback: it neither allocates, locks nor calls the system.
  void process(std::span<const float> in, std::span<float> out) noexcept {
    if (in.size() == 1) {
      stream_.step(in, out);
    } else {
      stream_.run(static_cast<int64_t>(in.size()), in, out);
    }
  }

 private:
  amp::Stream stream_;
};

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "audio_effect: %s\n", message.c_str());
  std::exit(1);
}

std::vector<float> read_wav(const char* path) {
  SndfileHandle file(path);
  if (file.error()) fail(std::string(path) + ": " + file.strError());
  if (file.channels() != 1 || file.samplerate() != kRate)
    fail(std::string(path) + ": " + std::to_string(file.channels()) + " channels at " +
         std::to_string(file.samplerate()) + " Hz; the amp takes 1 at " + std::to_string(kRate));
  std::vector<float> signal, block(1 << 16);
  while (const sf_count_t count = file.readf(block.data(), static_cast<sf_count_t>(block.size())))
    signal.insert(signal.end(), block.begin(), block.begin() + count);
  if (signal.empty()) fail(std::string(path) + ": no samples");
  return signal;
}

void write_wav(const char* path, const std::vector<float>& signal) {
  SndfileHandle file(path, SFM_WRITE, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 1, kRate);
  const auto count = static_cast<sf_count_t>(signal.size());
  if (file.error() || file.writef(signal.data(), count) != count)
    fail(std::string(path) + ": " + file.strError());
}

/// The whole signal in blocks; the seconds it takes.
double play(Effect& effect, size_t block, std::span<const float> in, std::span<float> out) {
  using Clock = std::chrono::steady_clock;
  effect.start();
  const Clock::time_point start = Clock::now();
  for (size_t i = 0; i < in.size(); i += block) {
    const size_t frames = std::min(block, in.size() - i);
    effect.process(in.subspan(i, frames), out.subspan(i, frames));
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The energy of the difference, in percent of the other signal's.
double error_to_signal(const std::vector<float>& signal, const std::vector<float>& other) {
  double error = 0, energy = 0;
  for (size_t i = 0; i < std::min(signal.size(), other.size()); ++i) {
    error += (signal[i] - other[i]) * (signal[i] - other[i]);
    energy += other[i] * other[i];
  }
  return 100 * error / energy;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) fail("usage: audio_effect IN.wav OUT.wav [EXPECTED.wav]");
  const std::vector<float> in = read_wav(argv[1]);
  std::vector<float> out(in.size()), first;
  Effect effect;
  if (!effect.ready()) fail("no memory");

  std::printf("block  ns a sample  x real time  bits\n");
  for (const size_t block : {1, 64, 512}) {
    double seconds = play(effect, block, in, out);
    for (int i = 0; i < 8; ++i) seconds = std::min(seconds, play(effect, block, in, out));
    if (first.empty()) first = out;
    const bool same = std::memcmp(first.data(), out.data(), out.size() * sizeof(float)) == 0;
    const double samples = static_cast<double>(in.size());
    std::printf("%5zu  %11.1f  %11.0f  %s\n", block, 1e9 * seconds / samples, samples / kRate / seconds,
                same ? "the same" : "OTHERS");
    if (!same) return 1;
  }
  write_wav(argv[2], out);
  if (argc == 4) std::printf("error to signal: %.3f %%\n", error_to_signal(out, read_wav(argv[3])));
}
