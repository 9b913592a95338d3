// Layers without time: Linear and Embedding.
#pragma once

#include <string>

#include "frontend/ops.h"

namespace rondo {

/// y = x w + b
class Linear {
 public:
  Param w, b;

  Linear() = default;
  Linear(Model& m, const std::string& name, int64_t in, int64_t out, bool bias = true,
         Init w_init = init::glorot(), Init b_init = init::zeros(), Where where = Where::here())
      : w(m.param(name + ".w", {in, out}, std::move(w_init), where)) {
    if (bias) b = m.param(name + ".b", {out}, std::move(b_init), where);
  }

  Tensor operator()(Operand x) const {
    LibraryCall call("linear", x.where());
    Tensor y = matmul(x, w);
    return b.is_set() ? y + b : y;
  }
};

/// Row `id` of a table.
class Embedding {
 public:
  Param table;

  Embedding() = default;
  Embedding(Model& m, const std::string& name, int64_t rows, int64_t width, Init init = init::normal(1),
            Where where = Where::here())
      : table(m.param(name + ".table", {rows, width}, std::move(init), where)) {}

  Tensor operator()(Operand ids) const {
    LibraryCall call("embedding", ids.where());
    return gather(table, ids);
  }
};

}  // namespace rondo
