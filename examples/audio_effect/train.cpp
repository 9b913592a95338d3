// Trains the amp on a guitar, dry and amplified. See README.md.
#include <fmt/format.h>
#include <sndfile.hh>

#include <CLI/CLI.hpp>
#include <exception>

#include "amp_model.h"
#include "signals.h"

using namespace rondo;

namespace {

struct Recording {
  std::vector<float> dry, amplified;

  Recording(uint64_t seed, size_t samples) : dry(pluck_guitar(seed, samples)), amplified(dry) {
    TubeAmp amp;
    for (float& x : amplified) x = amp(x);
  }
};

/// The error's energy over the target's.
Tensor error_to_signal(const Tensor& y, const Tensor& target) {
  return sum(square(target - y)) / (sum(square(target)) + 1e-5);
}

/// Column b of the batch reads the b-th of equal parts of the recording; `window` counts windows of T steps.
void fill(Program& program, const Recording& recording, size_t window) {
  const auto steps = static_cast<size_t>(program.dim("T")), rows = static_cast<size_t>(program.dim("B"));
  const size_t part = recording.dry.size() / rows;
  auto x = program.f32("x"), target = program.f32("target");  // [T,B,1]
  for (size_t b = 0; b < rows; ++b)
    for (size_t t = 0; t < steps; ++t) {
      const size_t from = b * part + window * steps + t;
      x[t * rows + b] = recording.dry[from];
      target[t * rows + b] = recording.amplified[from];
    }
}

/// Of the whole recording, read as one sequence.
double error_of(Program& loss, const Recording& recording) {
  loss.resize({{"T", static_cast<int64_t>(recording.dry.size())}, {"B", 1}});
  loss.reset();
  fill(loss, recording, 0);
  loss.run();
  return loss.f32("loss")[0];
}

void write_wav(const std::string& path, const std::vector<float>& signal) {
  SndfileHandle file(path, SFM_WRITE, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 1, static_cast<int>(kRate));
  if (file.writef(signal.data(), static_cast<sf_count_t>(signal.size())) !=
      static_cast<sf_count_t>(signal.size()))
    throw Error(fmt::format("{}: {}", path, file.strError()));
}

}  // namespace

int main(int argc, char** argv) try {
  constexpr int64_t kSteps = 512, kRows = 60, kSeconds = 60;
  std::string weights_file = "amp.safetensors", recordings;
  int64_t epochs = 40;
  CLI::App app("Trains an LSTM to sound as an amplifier.");
  app.add_option("--weights", weights_file, "where the weights go")->capture_default_str();
  app.add_option("--recordings", recordings,
                 "a folder for dry.wav and amplified.wav, which are not trained on");
  app.add_option("--epochs", epochs, "passes over a minute of guitar")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const Recording training(1, static_cast<size_t>(kSeconds * kRate)),
      held_out(2, static_cast<size_t>(10 * kRate));
  if (!recordings.empty()) {
    write_wav(recordings + "/dry.wav", held_out.dry);
    write_wav(recordings + "/amplified.wav", held_out.amplified);
  }
  if (epochs == 0) return 0;

  const Amp model;
  const Weights weights = model.init(1);
  const StepInput sample{f32, {1}};
  const Function loss = loss_function(model, sample, sample, error_to_signal);
  Program train = compile_training(loss, Adam{.clip_norm = 1}, weights);
  Program test = compile(loss, weights);
  train.resize({{"T", kSteps}, {"B", kRows}});
  const int64_t windows = static_cast<int64_t>(training.dry.size()) / (kRows * kSteps);
  const Schedule rate = schedule::cosine(5e-3, 0, epochs * windows);
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    train.reset();
    for (int64_t window = 0; window < windows; ++window) {
      fill(train, training, static_cast<size_t>(window));
      train.set_scalar("lr", rate(epoch * windows + window));
      train.run();
    }
    if (epoch % 5 == 4 || epoch + 1 == epochs)
      fmt::print("epoch {:3}  error to signal, held out: {:.3f} %\n", epoch + 1,
                 100 * error_of(test, held_out));
    std::fflush(stdout);
  }
  weights.save(weights_file);
} catch (const std::exception& e) {
  fmt::print(stderr, "amp_train: {}\n", e.what());
  return 1;
}
