// Trains a character language model on a text, then lets it write. See README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "examples/char_lm/session.h"

int main(int argc, char** argv) {
  Settings s;
  std::string protocol;
  CLI::App app("Trains a character language model on a text file, then lets it write.");
  app.add_option("--text", s.text, "the text to learn")->required();
  app.add_option("--cell", s.model.cell, "lstm, gru or rnn")
      ->check(CLI::IsMember({"lstm", "gru", "rnn"}))
      ->capture_default_str();
  app.add_option("--layers", s.model.layers, "recurrent layers")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--hidden", s.model.hidden, "size of each layer")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--batch", s.batch, "rows trained at a time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--steps", s.steps, "characters of a row that an update sees")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--rate", s.rate, "learning rate at the start; falls to a tenth")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  auto* epochs = app.add_option("--epochs", s.epochs, "passes over the text")->check(CLI::NonNegativeNumber);
  app.add_option("--minutes", s.minutes,
                 "or: how long to train; 1 by default, a resumed run ends where it would have")
      ->check(CLI::NonNegativeNumber)
      ->excludes(epochs);
  app.add_option("--sample", s.sample, "characters to write at the end")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--temperature", s.temperature, "of the writing; 0 takes the likeliest")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--prime", s.prime, "text that the writing goes on from");
  app.add_option("--seed", s.seed, "of the first weights and of the writing")->capture_default_str();
  app.add_option("--out", s.out, "folder for checkpoint, weights and log")->capture_default_str();
  app.add_flag("--resume", s.resume, "go on from the checkpoint in --out");
  app.add_option("--protocol", protocol, "char-rnn: its initialisation and optimizer")
      ->check(CLI::IsMember({"char-rnn"}));
  CLI11_PARSE(app, argc, argv);
  s.model.char_rnn = protocol == "char-rnn";
  if (!s.epochs && !s.minutes) s.minutes = 1;

  try {
    Session session(s);
    if (session.train() && s.sample > 0) fmt::print("\n{}\n", session.sample(s.sample));
  } catch (const std::exception& e) {
    fmt::print(stderr, "char_lm: {}\n", e.what());
    return 1;
  }
}
