// Decoders: recurrent networks that write a sequence of symbols, each read by the next step, up to an end
// symbol; and models that have one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "frontend/function.h"
#include "frontend/layers/linear.h"
#include "frontend/layers/stack.h"
#include "frontend/seq2seq/attention.h"

namespace rondo {

/// What a sequence is written with.
struct DecoderOptions {
  int64_t symbols = 0;     // how many there are, the end among them
  int32_t end = 0;         // ends a sequence, and stands before its first symbol
  int64_t embedding = 32;  // width of a symbol as the cell reads it
  Attention::Kind attention = Attention::Kind::none;
  int64_t attention_hidden = 64;  // of the additive score
};

/// Makes the recurrent layer of a decoder, which reads vectors of `in`: any cell, or a stack of them.
using MakeLayer = std::function<Layer(Model& m, const std::string& name, int64_t in)>;

/// Logits of the next symbol from the one before. Without attention they are linear in the layer's output h.
/// With it they are linear in tanh(w [h; context]); the query is h (dot), or the h of the step before
/// (additive), and then the layer reads the context beside the symbol.
class Decoder {
 public:
  struct State {
    Layer::State layer;
    std::vector<Tensor> query;  // of additive attention: the h before
  };
  struct Step {
    State state;
    Tensor logits;                // [B,V]
    std::vector<Tensor> weights;  // of attention: one [S,B]
  };

  Decoder() = default;
  /// `context`: width of the vector that a sequence starts from; `memory`: of what is attended to.
  Decoder(Model& m, const std::string& name, const DecoderOptions& options, int64_t context, int64_t memory,
          const MakeLayer& make, Where where = Where::here());

  int64_t symbols() const { return options_.symbols; }
  int32_t end() const { return options_.end; }
  const Attention& attention() const { return attention_; }

  /// The state at the start: tanh(context w + b) for each of its tensors.
  State start(Operand context) const;
  /// One step, from the symbols before (i32 [B]). All dims [B] may be [B,K].
  Step operator()(const Memory& memory, const State& state, Operand before) const;

 private:
  DecoderOptions options_;
  Param embedding_;
  std::vector<int64_t> widths_;  // of the state's tensors, the query last
  std::optional<Layer> layer_;
  Attention attention_;
  Linear start_, mix_, head_;
};

/// A model that writes sequences. What they start from is the derived model's: a source sequence, an image.
struct SequenceWriter : Model {
  using Model::Model;
  virtual ~SequenceWriter() = default;

  struct Start {
    Decoder::State state;
    Memory memory = {};
  };
  Decoder decoder;
  /// Declares the model's inputs, whose batch is the dim "B", and gives what their sequences start from.
  virtual Start start(Trace& t) const = 0;
};

}  // namespace rondo
