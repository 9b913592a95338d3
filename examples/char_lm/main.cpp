// Trains a character language model on a text, then lets it write. See README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>

#include "examples/char_lm/session.h"

namespace {

/// A number in [low, high], which NaN is not.
CLI::Validator between(double low, double high) {
  const auto check = [=](const std::string& text) {
    double number = 0;
    const bool good = CLI::detail::lexical_cast(text, number) && number >= low && number <= high;
    return good ? "" : fmt::format("`{}` is not a number from {} to {}", text, low, high);
  };
  return {check, fmt::format("from {} to {}", low, high)};
}

}  // namespace

// Exit codes: 0, 1 for an error, 2 for wrong usage, 130 after Ctrl-C, as a shell has it.
int main(int argc, char** argv) {
  Settings s;
  std::string protocol, library, target = "host";
  CLI::App app("Trains a character language model on a text file, then lets it write.");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--text", s.text, "the text to learn")->required();
  app.add_option("--cell", s.model.cell, "lstm, gru or rnn")
      ->check(CLI::IsMember({"lstm", "gru", "rnn"}))
      ->capture_default_str();
  app.add_option("--layers", s.model.layers, "recurrent layers")
      ->check(between(1, 64))
      ->capture_default_str();
  app.add_option("--hidden", s.model.hidden, "size of each layer")
      ->check(between(1, 65536))
      ->capture_default_str();
  app.add_option("--dropout", s.model.dropout, "share of a layer's outputs that the next lacks in training")
      ->check(between(0, 0.99))
      ->capture_default_str();
  app.add_flag("--residual", s.model.residual, "each layer but the first adds to its input");
  app.add_option("--batch", s.batch, "rows trained at a time")->check(between(1, 1e6))->capture_default_str();
  app.add_option("--steps", s.steps, "characters of a row that an update sees")
      ->check(between(1, 1e6))
      ->capture_default_str();
  app.add_option("--rate", s.rate, "learning rate at the start; falls to a tenth")
      ->check(between(0, 1e38))
      ->capture_default_str();
  auto* epochs = app.add_option("--epochs", s.epochs, "passes over the text")->check(between(0, 1e6));
  app.add_option("--minutes", s.minutes,
                 "or: how long to train; 1 by default, a resumed run ends where it would have")
      ->check(between(0, 1e6))
      ->excludes(epochs);
  app.add_option("--sample", s.sample, "characters to write at the end")
      ->check(between(0, 1e9))
      ->capture_default_str();
  app.add_option("--temperature", s.temperature, "of the writing; 0 takes the likeliest")
      ->check(between(0, 1e6))
      ->capture_default_str();
  app.add_option("--top-k", s.top_k, "the writing draws among the likeliest k characters only")
      ->check(between(1, 1e9));
  app.add_option("--prime", s.prime, "text that the writing goes on from");
  app.add_option("--seed", s.seed, "of the first weights and of the writing")
      ->check(between(0, 2147483647))
      ->capture_default_str();
  app.add_option("--out", s.out, "folder for checkpoint, weights and log")->capture_default_str();
  app.add_option("--library", library, "folder for the trained model as a static library with a C header");
  app.add_option("--target", target, "of the library: host, wasm32, aarch64 ...")->capture_default_str();
  app.add_flag("--resume", s.resume, "go on from the checkpoint in --out");
  app.add_option("--protocol", protocol, "char-rnn: its initialisation and optimizer")
      ->check(CLI::IsMember({"char-rnn"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  s.model.char_rnn = protocol == "char-rnn";
  if (!s.epochs && !s.minutes) s.minutes = 1;

  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the limit is an error as a full disk is
  try {
    Session session(s);
    if (!session.train()) return 130;
    if (!library.empty()) session.write_library(library, target);
    if (s.sample > 0) fmt::print("\n{}\n", session.sample(s.sample));
  } catch (const std::exception& e) {
    fmt::print(stderr, "char_lm: {}\n", e.what());
    return 1;
  }
}
