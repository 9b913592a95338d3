#include "frontend/layers/gru.h"

#include <fmt/format.h>

namespace rondo {
namespace {

CellOptions gate_options(CellOptions options, Gru::Reset reset, const std::string& name, Where where) {
  if (options.layer_norm && reset == Gru::Reset::before)
    fail(fmt::format("`{}`: a GRU with layer_norm resets after the product", name), where);
  options.hidden_bias = options.hidden_bias || reset == Gru::Reset::after;
  return options;
}

}  // namespace

Gru::Gru(Model& m, const std::string& name, int64_t in, int64_t hidden, Reset reset,
         const GruOptions& options, Where where)
    : Gates(m, name, {in, hidden, 3}, gate_options(options.gates, reset, name, where), where),
      reset(reset),
      activations(options.activations) {}

Gru::State Gru::operator()(const State& s, Operand x) const {
  LibraryCall call("gru", x.where());
  auto blend = [&](Tensor z, Tensor n) -> State { return {z * s.h + (1 - z) * n}; };
  if (reset == Reset::after) {
    auto [xr, xz, xn] = split<3>(of_input(x), -1);
    auto [hr, hz, hn] = split<3>(of_hidden(s.h), -1);
    const Tensor r = activations.r(clipped(xr + hr, clip)), z = activations.z(clipped(xz + hz, clip));
    return blend(z, activations.n(clipped(xn + r * hn, clip)));
  }
  auto [whr_whz, whn] = std::pair(slice(wh, 1, 0, 2 * hidden), slice(wh, 1, 2 * hidden, 3 * hidden));
  auto [xr, xz, xn] = split<3>(bh.is_set() ? of_input(x) + bh : of_input(x), -1);
  auto [hr, hz] = split<2>(matmul(s.h, whr_whz), -1);
  const Tensor r = activations.r(clipped(xr + hr, clip)), z = activations.z(clipped(xz + hz, clip));
  return blend(z, activations.n(clipped(xn + matmul(r * s.h, whn), clip)));
}

}  // namespace rondo
