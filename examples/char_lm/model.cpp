#include "examples/char_lm/model.h"

#include <fmt/format.h>

using namespace rondo;

CharLm::CharLm(const ModelSettings& settings, int64_t vocabulary) {
  stack_.layers.push_back(layer(settings, "layer0", vocabulary));
  for (int64_t i = 1; i < settings.layers; ++i) {
    const Layer next = layer(settings, fmt::format("layer{}", i), settings.hidden);
    if (settings.dropout > 0) stack_.layers.push_back(Dropout{settings.dropout});
    stack_.layers.push_back(settings.residual ? Layer(Residual(next)) : next);
  }
  head_ = Linear(*this, "head", settings.hidden, vocabulary, true,
                 settings.char_rnn ? init::uniform(0.08) : init::glorot(),
                 settings.char_rnn ? init::uniform(0.08) : init::zeros());
}

Layer CharLm::layer(const ModelSettings& settings, const std::string& name, int64_t in) {
  LstmOptions options;  // the forget gate starts open
  if (settings.char_rnn) {
    options.gates.hidden_bias = true;
    options.gates.input_init = options.gates.hidden_init = options.gates.bias_init = init::uniform(0.08);
  }
  if (settings.cell == "lstm") return Lstm(*this, name, in, settings.hidden, options);
  if (settings.cell == "gru")
    return Gru(*this, name, in, settings.hidden, Gru::Reset::before, {options.gates});
  return Rnn(*this, name, in, settings.hidden, options.gates);
}
