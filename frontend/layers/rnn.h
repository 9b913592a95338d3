// The vanilla recurrent cell.
#pragma once

#include <string>
#include <utility>

#include "frontend/layers/gates.h"

namespace rondo {

/// h = f(x wx + h wh + b)
class Rnn : public Gates {
 public:
  using State = HiddenState;
  Activation activation;

  Rnn() = default;
  Rnn(Model& m, const std::string& name, int64_t in, int64_t hidden, const CellOptions& options = {},
      Activation f = tanh, Where where = Where::here())
      : Gates(m, name, {in, hidden, 1}, options, where), activation(std::move(f)) {}

  State initial(const Dim& batch) const { return {zeros({batch, hidden})}; }
  State operator()(const State& s, Operand x) const {
    LibraryCall call("rnn", x.where());
    return {activation(clipped(of_input(x) + of_hidden(s.h), clip))};
  }
};

}  // namespace rondo
