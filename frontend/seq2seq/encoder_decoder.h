// Encoder-decoder: one network reads a source of any length, another writes a sequence of another length.
#pragma once

#include "frontend/layers/sequence.h"
#include "frontend/programs.h"
#include "frontend/seq2seq/decoder.h"

namespace rondo {

struct EncoderDecoderOptions {
  StepInput source = {};  // a step of the source: an id by default
  DecoderOptions target;
};

/// Inputs: "source" [S,B,...] and "source_lengths" (i32[B], each in [0,S]). The decoder starts from the
/// encoder's final state, and may attend to all its outputs.
class EncoderDecoder : public SequenceWriter {
 public:
  /// Makes what reads the source: any cell, a bidirectional layer, a stack of layers.
  using MakeEncoder = std::function<SequenceLayer(Model& m, const std::string& name)>;

  EncoderDecoder(const EncoderDecoderOptions& options, const MakeEncoder& encoder, const MakeLayer& decoder,
                 DType dtype = f32, Where where = Where::here());

  Start start(Trace& t) const override;

 private:
  struct Encoded {
    Tensor context, outputs;
  };
  Encoded encode(const Tensor& source, const Tensor& lengths) const;

  StepInput source_;
  SequenceLayer encoder_;
};

}  // namespace rondo
