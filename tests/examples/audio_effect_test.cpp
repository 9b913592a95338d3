// The amp: trained in a short form, played in blocks; and one that Neural Amp Modeler trained.
#include <rondo/rondo.h>

#include <cstring>

#include "tests/cases.h"
#include "tests/examples/example.h"
#include "tests/runtime/util.h"

namespace rondo::testing {
namespace {

constexpr size_t kHeld = 480'000;  // samples of the recording that is not trained on

std::string play(const std::string& files, int code = 0) {
  return run_example("audio_effect " + files, code);
}

TEST(AudioEffect, LearnsTheAmp) {
  TempDir dir;
  const std::string text = run_example("amp_train --epochs 3 --weights " + dir.file("amp.safetensors"));
  EXPECT_LT(number_after(text, "held out: "), 10);  // percent; 0.07 in 40 epochs
  EXPECT_EQ(Weights::load(dir.file("amp.safetensors")).count(), 64 + 1024 + 64 + 17);
}

TEST(AudioEffect, PlaysTheSameInBlocksOfAnySize) {
  TempDir dir;
  run_example("amp_train --epochs 0 --recordings " + dir.file(""));
  const std::string dry = dir.file("dry.wav"), out = dir.file("out.wav"),
                    amplified = dir.file("amplified.wav");
  const std::string text = play(dry + " " + out + " " + amplified);
  for (const char* block : {"\n    1 ", "\n   64 ", "\n  512 "}) {
    const std::vector<double> row = numbers_after(text, block);
    ASSERT_EQ(row.size(), 2u) << text;
    EXPECT_NE(text.find("the same", text.find(block)), std::string::npos) << text;
  }
  EXPECT_LT(number_after(text, "error to signal: "), 0.1);
  EXPECT_GT(number_after(play(dry + " " + out + " " + dry), "error to signal: "), 10);
  EXPECT_EQ(read_text(out).size(), read_text(amplified).size());
  EXPECT_GT(read_text(out).size(), kHeld * sizeof(float));
}

std::string little_endian(uint32_t n, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(n >> 8 * i);
  return text;
}

/// Format 1 is integers, 3 floats.
std::string wav_header(uint32_t format, uint32_t bits, uint32_t channels, uint32_t rate, uint32_t bytes) {
  const uint32_t frame = channels * bits / 8;
  return "RIFF" + little_endian(36 + bytes, 4) + "WAVEfmt " + little_endian(16, 4) +
         little_endian(format, 2) + little_endian(channels, 2) + little_endian(rate, 4) +
         little_endian(frame * rate, 4) + little_endian(frame, 2) + little_endian(bits, 2) + "data" +
         little_endian(bytes, 4);
}

/// Of 16-bit samples that are zero.
std::string wav(uint32_t channels, uint32_t rate, uint32_t frames) {
  const uint32_t bytes = 2 * channels * frames;
  return wav_header(1, 16, channels, rate, bytes) + std::string(bytes, '\0');
}

template <class T>
std::vector<T> numbers_in(const std::string& bytes) {
  std::vector<T> numbers(bytes.size() / sizeof(T));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(T));
  return numbers;
}

TEST(AudioEffect, SaysWhatIsWrong) {
  TempDir dir;
  const std::string in = dir.file("in.wav"), out = dir.file("out.wav");
  const auto expect = [&](const std::string& bytes, const std::string& message) {
    write_text(in, bytes);
    EXPECT_EQ(play(in + " " + out, 1), "audio_effect: " + in + ": " + message + "\n");
    EXPECT_FALSE(std::filesystem::exists(out));
  };
  expect(wav(2, 48'000, 100), "2 channels at 48000 Hz; the amp takes 1 at 48000");
  expect(wav(1, 44'100, 100), "1 channels at 44100 Hz; the amp takes 1 at 48000");
  expect(wav(1, 48'000, 0), "no samples");
  expect("", "Format not recognised.");
  expect("not a sound at all", "Format not recognised.");
  write_text(in, wav(1, 48'000, 100));
  EXPECT_NE(play(in + " " + dir.file("no/such/out.wav"), 1).find("out.wav: "), std::string::npos);
  EXPECT_NE(play(dir.file("none.wav") + " " + out, 1).find("none.wav: "), std::string::npos);
  EXPECT_EQ(play("", 1), "audio_effect: usage: audio_effect IN.wav OUT.wav [EXPECTED.wav]\n");
}

/// Its lengths may lie.
TEST(AudioEffect, SurvivesAnyTruncationOfAFile) {
  TempDir dir;
  const std::string whole = wav(1, 48'000, 3), in = dir.file("in.wav");
  for (size_t size = 0; size < whole.size(); ++size) {
    write_text(in, whole.substr(0, size));
    const int code = shell(RONDO_BIN "/audio_effect " + in + " " + dir.file("out.wav")).code;
    EXPECT_TRUE(code == 0 || code == 1) << size;
  }
}

/// A float32 file.
void write_floats(const std::string& path, const std::vector<float>& signal) {
  const auto bytes = static_cast<uint32_t>(signal.size() * sizeof(float));
  std::string samples(bytes, '\0');
  std::memcpy(samples.data(), signal.data(), bytes);
  write_text(path, wav_header(3, 32, 1, 48'000, bytes) + samples);
}

std::vector<float> read_floats(const std::string& path) {
  const std::string text = read_text(path), samples = text.substr(text.find("data") + 8);
  return numbers_in<float>(samples);
}

/// The same program with an amp of Neural Amp Modeler's, which has states of its own to start from.
TEST(AudioEffect, PlaysAnAmpThatOthersTrained) {
  const std::filesystem::path folder = case_path("nam");
  RONDO_NEED_CASE(folder);
  TempDir dir;
  const ImportedModel amp = load_nam((folder / "models/lstm.nam").string());
  LibraryOptions options;
  options.name = "amp";
  options.directory = dir.file("");
  options.dims = {{"B", 1}};
  export_library({amp.function("step"), amp.function("run")}, amp.weights, options);
  const std::string program = dir.file("effect");
  ASSERT_EQ(shell("'" RONDO_CXX "' -std=c++20 -O1 -I" + dir.file("") +
                  " '" RONDO_SOURCE_DIR "/examples/audio_effect/main.cpp' " + dir.file("libamp.a") +
                  " -lsndfile -o " + program)
                .text,
            "");
  for (const std::string name : {"noise_4000", "speech_24000"}) {
    write_floats(dir.file("in.wav"),
                 numbers_in<float>(read_text(folder / "io" / ("input_" + name + ".f32"))));
    const Outcome outcome = shell(program + " " + dir.file("in.wav") + " " + dir.file("out.wav"));
    EXPECT_EQ(outcome.code, 0) << outcome.text;  // blocks of 1, 64 and 512 agree
    const std::vector<float> y = read_floats(dir.file("out.wav"));
    const auto expected = numbers_in<double>(read_text(folder / "io" / ("lstm." + name + ".expected.f64")));
    ASSERT_EQ(y.size(), expected.size());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], 1e-6) << name << " " << i;
  }
}

}  // namespace
}  // namespace rondo::testing
