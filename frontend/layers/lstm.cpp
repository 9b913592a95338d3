#include "frontend/layers/lstm.h"

#include <fmt/format.h>

namespace rondo {
namespace {

Gates::Sizes sizes_of(int64_t in, int64_t hidden, const LstmOptions& options) {
  return {in, hidden, options.coupled ? 3 : 4, options.projection ? options.projection : hidden};
}

/// Of b, whose blocks are i, f, g, o, or i, g, o.
Init b_init(const LstmOptions& options) {
  const Init& b = options.gates.bias_init;
  if (!options.forget_bias) return init::blocks(std::vector<Init>(options.coupled ? 3 : 4, b));
  const double forget = *options.forget_bias;
  if (options.coupled) return init::blocks({init::constant(-forget), b, b});
  return init::blocks({b, init::constant(forget), b, b});
}

/// a + p c where there is such a peephole.
Tensor peep(const Tensor& a, const Param& p, const Tensor& c) { return p.is_set() ? a + p * c : a; }

}  // namespace

Lstm::Lstm(Model& m, const std::string& name, int64_t in, int64_t hidden, const LstmOptions& options,
           Where where)
    : Gates(m, name, sizes_of(in, hidden, options), options.gates, b_init(options), where), options(options) {
  check_bound(name, "cell_clip", options.cell_clip, where);
  auto peephole = [&](const char* gate) { return m.param(name + gate, {hidden}, init::zeros(), where); };
  if (options.peepholes) {
    pi = peephole(".pi");
    if (!options.coupled) pf = peephole(".pf");
    po = peephole(".po");
  }
  if (options.projection) wp = m.param(name + ".wp", {hidden, options.projection}, init::glorot(), where);
  if (options.gates.layer_norm) norm_c = LayerNorm(m, name + ".norm_c", hidden, {}, where);
}

Lstm::Inputs Lstm::inputs(const Tensor& h, Operand x) const {
  const Tensor a = of_input(x) + of_hidden(h);
  if (options.coupled) {
    auto [i, g, o] = split<3>(a, -1);
    return {i, {}, g, o};
  }
  auto [i, f, g, o] = split<4>(a, -1);
  return {i, f, g, o};
}

Lstm::State Lstm::operator()(const State& s, Operand x) const {
  LibraryCall call("lstm", x.where());
  const LstmOptions::Activations& act = options.activations;
  auto [i, f, g, o] = inputs(s.h, x);
  i = act.i(clipped(peep(i, pi, s.c), clip));
  f = options.coupled ? 1 - i : act.f(clipped(peep(f, pf, s.c), clip));
  g = act.g(clipped(g, clip));
  const Tensor c = clipped(f * s.c + i * g, options.cell_clip);
  o = act.o(clipped(peep(o, po, c), clip));
  const Tensor h = o * act.h(norm_c.is_set() ? norm_c(c) : c);
  return {wp.is_set() ? matmul(h, wp) : h, c};
}

}  // namespace rondo
