#include "frontend/layers/gates.h"

#include <fmt/format.h>

#include <cmath>

namespace rondo {
namespace {

Init repeated(int64_t gates, const Init& init) { return init::blocks(std::vector<Init>(gates, init)); }

}  // namespace

Tensor clipped(Operand x, double bound) { return bound > 0 ? max(min(x, bound), -bound) : x.tensor(); }

void check_bound(const std::string& cell, const char* what, double bound, Where where) {
  if (!(bound >= 0) || std::isinf(bound))
    fail(fmt::format("`{}`: {} is {}, no bound; 0 is none", cell, what, bound), where);
}

Gates::Gates(Model& m, const std::string& name, const Sizes& sizes, const CellOptions& options, Where where)
    : Gates(m, name, sizes, options, repeated(sizes.gates, options.bias_init), where) {}

Gates::Gates(Model& m, const std::string& name, const Sizes& sizes, const CellOptions& options, Init b_init,
             Where where)
    : clip(options.clip), hidden(sizes.hidden), out(sizes.out) {
  check_bound(name, "clip", clip, where);
  const int64_t width = sizes.gates * hidden;
  wx = m.param(name + ".wx", {sizes.in, width}, repeated(sizes.gates, options.input_init), where);
  wh = m.param(name + ".wh", {out, width}, repeated(sizes.gates, options.hidden_init), where);
  if (options.layer_norm) {
    norm_x = LayerNorm(m, name + ".norm_x", width, {.bias = false}, where);
    norm_h = LayerNorm(m, name + ".norm_h", width, {.bias = false}, where);
  }
  if (!options.bias) return;
  b = m.param(name + ".b", {width}, std::move(b_init), where);
  if (options.hidden_bias)
    bh = m.param(name + ".bh", {width}, repeated(sizes.gates, options.bias_init), where);
}

Tensor Gates::of_input(Operand x) const {
  Tensor product = x.tensor().dtype() == DType::i32 ? gather(wx, x) : matmul(x, wx);
  if (norm_x.is_set()) product = norm_x(product);
  return b.is_set() ? product + b : product;
}

Tensor Gates::of_hidden(Operand h) const {
  Tensor product = matmul(h, wh);
  if (norm_h.is_set()) product = norm_h(product);
  return bh.is_set() ? product + bh : product;
}

}  // namespace rondo
