// Tiny models that write sequences, and their data.
#pragma once

#include <rondo/rondo.h>
#include <vector>

#include "runtime/weights.h"

namespace rondo::test {

using Numbers = std::vector<double>;

inline constexpr int64_t kSymbols = 3;
inline constexpr int32_t kEnd = 2;

/// Reads ids in [0,4), writes ids in [0,3), of which 2 is the end. Its weights are large, so that what it
/// writes is no matter of rounding.
inline EncoderDecoder tiny(Attention::Kind attention, DType dtype = f64) {
  EncoderDecoderOptions options;
  options.target = {
      .symbols = kSymbols, .end = kEnd, .embedding = 4, .attention = attention, .attention_hidden = 6};
  const GruOptions large{{.input_init = init::normal(1), .hidden_init = init::normal(1)}};
  return EncoderDecoder(
      options,
      [=](Model& m, const std::string& name) { return Gru(m, name, 4, 5, Gru::Reset::before, large); },
      [=](Model& m, const std::string& name, int64_t in) {
        return Gru(m, name, in, 5, Gru::Reset::after, large);
      },
      dtype);
}

/// Three sources of up to four steps, [S,B].
struct Sources {
  std::vector<int32_t> ids = {1, 3, 0, 2, 0, 0, 3, 0, 0, 0, 2, 0}, lengths = {4, 2, 0};
  static constexpr int64_t steps = 4, rows = 3;
};

}  // namespace rondo::test
