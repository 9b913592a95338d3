#include "examples/char_lm/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>

using namespace rondo;

namespace {

Function loss_of(const CharLm& model) { return loss_function(model, {}, {}, softmax_cross_entropy); }

/// The training step, compiled: as char-rnn trains, or by Adam.
Program compile_step(const CharLm& model, const Weights& weights, bool char_rnn, BuildTimes& times) {
  const BuildOptions options{.times = &times};
  if (char_rnn)
    return compile_training(loss_of(model), RmsProp{.lr = 2e-3, .smoothing = 0.95, .clip_value = 5}, weights,
                            options);
  return compile_training(loss_of(model), Adam{.clip_norm = 5}, weights, options);
}

/// What the writing goes on from: the text's first character if nothing is given.
std::vector<int32_t> prime_of(const Settings& settings, const std::string& text, const Vocabulary& symbols) {
  try {
    return symbols.encode(settings.prime.empty() ? text.substr(0, 1) : settings.prime);
  } catch (const Error& error) {
    throw Error(fmt::format("--prime: {}", error.what()));
  }
}

/// What a checkpoint calls the model.
std::string description(const ModelSettings& model, int64_t symbols) {
  std::string text = fmt::format("{} {}x{}, {} symbols", model.cell, model.layers, model.hidden, symbols);
  if (model.dropout > 0) text += fmt::format(", dropout {}", model.dropout);
  if (model.residual) text += ", residual";
  if (model.char_rnn) text += ", char-rnn";
  return text;
}

/// A number of updates in the notes of a checkpoint.
int64_t updates_of(const std::string& note) {
  int64_t count = -1;
  const auto [end, error] = std::from_chars(note.data(), note.data() + note.size(), count);
  if (error != std::errc() || end != note.data() + note.size() || count < 0)
    throw Error(fmt::format("`{}` is no number of updates", note));
  return count;
}

}  // namespace

Session::Session(const Settings& settings)
    : settings_(settings),
      text_(read_text(settings.text)),
      vocabulary_(text_),
      windows_(vocabulary_.encode(text_), settings.batch, settings.steps),
      prime_(prime_of(settings, text_, vocabulary_)),
      model_(settings.model, vocabulary_.size()),
      weights_(model_.init(settings.seed)),
      training_(compile_step(model_, weights_, settings.model.char_rnn, build_)),
      loss_(compile(loss_of(model_), weights_)) {
  for (Program* program : {&training_, &loss_})
    program->resize({{"T", settings.steps}, {"B", settings.batch}});
  std::error_code failed;
  std::filesystem::create_directories(settings.out, failed);
  if (failed) throw Error(fmt::format("--out `{}`: {}", settings.out, failed.message()));
  if (settings.resume) load();
  log_.open(file("log.txt"), settings.resume ? std::ios::app : std::ios::trunc);
  if (!log_) throw Error(fmt::format("{}: cannot write", file("log.txt")));
  log(fmt::format("{} {}x{}, {} parameters; {} characters, {} symbols; {} windows to train on, {} held out",
                  settings.model.cell, settings.model.layers, settings.model.hidden, model_.count(),
                  text_.size(), vocabulary_.size(), windows_.training(), windows_.held_out()));
  log("training step " + to_string(build_));
}

/// char-rnn: constant for 10 epochs, then times 0.97 an epoch. Else: falls in a straight line, to a tenth.
Schedule Session::learning_rate() const {
  const int64_t epoch = windows_.training();
  return settings_.model.char_rnn ? 2e-3 * schedule::sequence(1, 9 * epoch, schedule::steps(epoch, 0.97))
                                  : schedule::linear(settings_.rate, 0.1 * settings_.rate, total_);
}

/// How many updates fit into the time, by the time of some runs that change nothing.
int64_t Session::updates_in(double minutes) {
  using Clock = std::chrono::steady_clock;
  const int runs = 10;
  training_.f32("lr")[0] = 0;
  training_.run();
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < runs; ++i) training_.run();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count() / runs;
  for (const auto& [name, buffer] : training_.weights().all())
    if (name.starts_with("optimizer")) training_.weights().at(name).clear();
  training_.reset();
  return std::max<int64_t>(1, static_cast<int64_t>(minutes * 60 / seconds));
}

bool Session::train() {
  if (settings_.epochs) total_ = *settings_.epochs * windows_.training();
  if (total_ == 0 && settings_.minutes) total_ = updates_in(*settings_.minutes);
  const Interrupt interrupt;
  Progress progress(total_, windows_.symbols(), done_);
  // Epochs of a short text are too short to save and to measure each.
  const int64_t epochs_between = std::max<int64_t>(1, total_ / windows_.training() / 50);
  while (done_ < total_) {
    const int64_t epoch = done_ / windows_.training() + epochs_between;
    const bool goes_on = train_until(std::min(total_, epoch * windows_.training()), progress, interrupt);
    if (!goes_on || done_ == total_) progress.finish();
    if (!goes_on) {
      log(fmt::format("stopped after update {} of {}; --resume goes on", done_, total_), &progress);
      return false;
    }
    const double loss = held_out_loss();
    log(fmt::format("epoch {:2}  update {:6}  held-out loss {:.4f} nats, {:.4f} bits a character",
                    (done_ + windows_.training() - 1) / windows_.training(), done_, loss,
                    loss / std::log(2.0)),
        &progress);
  }
  return true;
}

bool Session::train_until(int64_t last, Progress& progress, const Interrupt& interrupt) {
  TrainingPlan plan;
  plan.first = done_;
  plan.last = last;
  plan.interrupt = &interrupt;
  plan.fill = [&](int64_t update) {
    windows_.training_window(update % windows_.training(), training_.i32("x"), training_.i32("target"));
  };
  plan.rate = learning_rate();
  plan.report = [&](int64_t done, double, double smoothed) { progress.update(done, smoothed); };
  plan.save = [&](int64_t done) {
    done_ = done;
    save();
  };
  const TrainingResult result = rondo::train(training_, plan);
  done_ = result.updates_done;
  return !result.interrupted;
}

double Session::held_out_loss() {
  loss_.reset();
  double total = 0;
  for (int64_t i = 0; i < windows_.held_out(); ++i) {
    windows_.held_out_window(i, loss_.i32("x"), loss_.i32("target"));
    loss_.run();
    total += loss_.f32("loss")[0];
  }
  return total / static_cast<double>(windows_.held_out());
}

std::string Session::sample(int64_t count) {
  Program generate = compile(generate_function(model_), weights_);
  generate.resize({{"P", static_cast<int64_t>(prime_.size())}, {"N", count}, {"B", 1}});
  generate.set("prime", prime_);
  generate.f32("temperature")[0] = static_cast<float>(settings_.temperature);
  if (settings_.top_k)
    generate.i32("top_k")[0] = static_cast<int32_t>(std::min<int64_t>(*settings_.top_k, vocabulary_.size()));
  generate.i32("seed")[0] = static_cast<int32_t>(settings_.seed);
  generate.run();
  return vocabulary_.decode(prime_) + vocabulary_.decode(generate.i32("ids"));
}

void Session::write_library(const std::string& directory, const std::string& target) {
  LibraryOptions options;
  options.name = "char_lm";
  options.directory = directory;
  options.targets = {target};
  options.dims = {{"B", 1}};
  const LibraryReport report = export_library({generate_function(model_)}, weights_, options);
  std::vector<int> symbols;
  for (char c : vocabulary_.symbols()) symbols.push_back(static_cast<unsigned char>(c));
  const auto write = [&](const char* name, const char* format) {
    const std::string path = directory + "/" + name;
    std::ofstream file(path);
    file << fmt::format(fmt::runtime(format), fmt::join(symbols, ", "), fmt::join(prime_, ", "));
    if (!file.flush()) throw Error(fmt::format("{}: cannot write", path));
  };
  write("char_lm_symbols.h",
        "/* The bytes that the ids of char_lm stand for, and the ids that writing starts from. */\n"
        "static const unsigned char char_lm_symbols[] = {{{}}};\n"
        "static const int32_t char_lm_prime[] = {{{}}};\n");
  write("char_lm_symbols.mjs",
        "// The bytes that the ids of char_lm stand for, and the ids that writing starts from.\n"
        "export const symbols = [{}];\nexport const prime = [{}];\n");
  log(fmt::format("library: {} bytes of code, {} of data, in {:.2f} s", report.code_bytes, report.data_bytes,
                  report.seconds));
}

Checkpoint Session::checkpoint() {
  return {.model = description(settings_.model, vocabulary_.size()),
          .weights = training_.weights(),
          .state = training_.state(),
          .notes = {{"text", fmt::format("{} characters in windows of {} rows x {} steps", text_.size(),
                                         windows_.batch(), windows_.steps())},
                    {"symbols", vocabulary_.to_hex()},
                    {"updates", std::to_string(done_)},
                    {"total", std::to_string(total_)}}};
}

void Session::save() {
  save_checkpoint(file("checkpoint.safetensors"), checkpoint());
  weights_.save(file("weights.safetensors"));
}

void Session::load() {
  Checkpoint into = checkpoint();
  const std::map<std::string, std::string> here = into.notes;
  const std::string path = file("checkpoint.safetensors");
  load_checkpoint(path, into);
  try {
    for (const char* note : {"text", "symbols"})
      if (into.notes[note] != here.at(note))
        throw Error(fmt::format("{} `{}`, not `{}`", note, into.notes[note], here.at(note)));
    done_ = updates_of(into.notes["updates"]);
    total_ = updates_of(into.notes["total"]);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: a checkpoint that cannot go on here: {}", path, error.what()));
  }
}

void Session::log(const std::string& line, Progress* progress) {
  if (progress) {
    progress->note(line);
  } else {
    fmt::print("{}\n", line);
  }
  log_ << line << std::endl;
}
