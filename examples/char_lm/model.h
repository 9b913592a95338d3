// A character language model: stacked recurrent layers over one-hot characters, and logits of the next
// character.
#pragma once

#include <rondo/rondo.h>

#include <string>
#include <utility>

struct ModelSettings {
  std::string cell = "lstm";  // lstm, gru or rnn
  int64_t layers = 2, hidden = 128;
  double dropout = 0;     // between layers
  bool residual = false;  // each layer but the first adds to its input
  bool char_rnn = false;  // initialised and with biases as char-rnn (Karpathy 2015) has them
};

class CharLm : public rondo::Model {
 public:
  using State = rondo::Stack::State;

  CharLm(const ModelSettings& settings, int64_t vocabulary);

  State initial(rondo::Dim batch) const { return stack_.initial(batch); }

  /// Reads one character (an id) and gives the logits of the next.
  std::pair<State, rondo::Tensor> step(const State& state, rondo::Tensor id) const {
    auto [next, h] = stack_(state, id);
    return {next, head_(h)};
  }

 private:
  rondo::Layer layer(const ModelSettings& settings, const std::string& name, int64_t in);

  rondo::Stack stack_;
  rondo::Linear head_;
};
