#include "frontend/seq2seq/encoder_decoder.h"

namespace rondo {

EncoderDecoder::EncoderDecoder(const EncoderDecoderOptions& options, const MakeEncoder& encoder,
                               const MakeLayer& decoder, DType dtype, Where where)
    : SequenceWriter(dtype), source_(options.source), encoder_(encoder(*this, "encoder")) {
  int64_t context = 0, outputs = 0;
  Function("trial", dtype, [&](Trace& t) {
    const Encoded encoded = encode(t.input("source", source_.dtype, source_.with({"S", "B"}), where),
                                   t.input("source_lengths", i32, {"B"}, where));
    context = encoded.context.dim(-1).size();
    outputs = encoded.outputs.dim(-1).size();
  });
  this->decoder = Decoder(*this, "decoder", options.target, context, outputs, decoder, where);
}

EncoderDecoder::Encoded EncoderDecoder::encode(const Tensor& source, const Tensor& lengths) const {
  auto [last, outputs] = encoder_(encoder_.initial("B"), source, {.lengths = lengths});
  return {concat(last, -1), outputs};
}

SequenceWriter::Start EncoderDecoder::start(Trace& t) const {
  const Tensor source = t.input("source", source_.dtype, source_.with({"S", "B"}));
  const Tensor lengths = t.input("source_lengths", i32, {"B"});
  const Encoded encoded = encode(source, lengths);
  return {decoder.start(encoded.context), decoder.attention().memory(encoded.outputs, lengths)};
}

}  // namespace rondo
