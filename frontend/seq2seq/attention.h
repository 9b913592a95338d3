// Attention: at each step a decoder reads from all that an encoder has written.
#pragma once

#include <string>

#include "frontend/ops.h"

namespace rondo {

/// What is attended to.
struct Memory {
  Tensor values;  // [S,B,W]
  Tensor keys;    // [S,B,A], what queries are compared with
  Tensor valid;   // pred [S,B]: step s belongs to row b
};

/// A mean of the values, its weights the softmax over s of a score of query q and key k_s:
///   dot        q k_s, where k_s = m_s is the value itself (Luong et al. 2015)
///   additive   v tanh(q wq + k_s), where k_s = m_s wk     (Bahdanau et al. 2015)
class Attention {
 public:
  enum class Kind { none, dot, additive };
  Kind kind = Kind::none;
  Param wq, wk, v;

  Attention() = default;
  /// For queries and values of these widths; `hidden` is that of the additive score.
  Attention(Model& m, const std::string& name, Kind kind, int64_t query, int64_t values, int64_t hidden,
            Where where = Where::here());

  bool is_set() const { return kind != Kind::none; }
  /// Values [S,B,W], of which the first lengths[b] (i32[B]) of a row count.
  Memory memory(Operand values, Operand lengths) const;

  struct Read {
    Tensor context;  // [B,W]
    Tensor weights;  // [S,B]
  };
  /// One step's query [B,Q]; or [B,K,Q], which gives [B,K,W] and [S,B,K].
  Read operator()(const Memory& memory, Operand query) const;
};

}  // namespace rondo
