#include "frontend/layers/cells.h"

namespace rondo {
namespace {

Init repeated(int gates, const Init& init) { return init::blocks(std::vector<Init>(gates, init)); }

/// Of an LSTM's b, whose second block is the forget gate's.
Init with_forget_bias(const LstmOptions& options) {
  const Init& b = options.bias_init;
  return options.forget_bias ? init::blocks({b, init::constant(*options.forget_bias), b, b}) : repeated(4, b);
}

CellOptions with_hidden_bias(CellOptions options, Gru::Reset reset) {
  options.hidden_bias = options.hidden_bias || reset == Gru::Reset::after;
  return options;
}

}  // namespace

Gates::Gates(Model& m, const std::string& name, int64_t in, int64_t hidden, int gates,
             const CellOptions& options, Where where)
    : Gates(m, name, in, hidden, gates, options, repeated(gates, options.bias_init), where) {}

Gates::Gates(Model& m, const std::string& name, int64_t in, int64_t hidden, int gates,
             const CellOptions& options, Init b_init, Where where)
    : wx(m.param(name + ".wx", {in, gates * hidden}, repeated(gates, options.input_init), where)),
      wh(m.param(name + ".wh", {hidden, gates * hidden}, repeated(gates, options.hidden_init), where)),
      hidden(hidden) {
  if (!options.bias) return;
  b = m.param(name + ".b", {gates * hidden}, std::move(b_init), where);
  if (options.hidden_bias)
    bh = m.param(name + ".bh", {gates * hidden}, repeated(gates, options.bias_init), where);
}

Tensor Gates::of_input(Operand x) const {
  const Tensor product = x.tensor().dtype() == DType::i32 ? gather(wx, x) : matmul(x, wx);
  return b.is_set() ? product + b : product;
}

Tensor Gates::of_hidden(Operand h) const {
  const Tensor product = matmul(h, wh);
  return bh.is_set() ? product + bh : product;
}

Lstm::Lstm(Model& m, const std::string& name, int64_t in, int64_t hidden, const LstmOptions& options,
           Where where)
    : Gates(m, name, in, hidden, 4, options, with_forget_bias(options), where) {}

Gru::Gru(Model& m, const std::string& name, int64_t in, int64_t hidden, Reset reset,
         const CellOptions& options, Where where)
    : Gates(m, name, in, hidden, 3, with_hidden_bias(options, reset), where), reset(reset) {}

Gru::State Gru::operator()(const State& s, Operand x) const {
  LibraryCall call("gru", x.where());
  if (reset == Reset::after) {
    auto [xr, xz, xn] = split<3>(of_input(x), -1);
    auto [hr, hz, hn] = split<3>(of_hidden(s.h), -1);
    const Tensor r = sigmoid(xr + hr), z = sigmoid(xz + hz), n = tanh(xn + r * hn);
    return {z * s.h + (1 - z) * n};
  }
  auto [whr_whz, whn] = std::pair(slice(wh, 1, 0, 2 * hidden), slice(wh, 1, 2 * hidden, 3 * hidden));
  auto [xr, xz, xn] = split<3>(bh.is_set() ? of_input(x) + bh : of_input(x), -1);
  auto [hr, hz] = split<2>(matmul(s.h, whr_whz), -1);
  const Tensor r = sigmoid(xr + hr), z = sigmoid(xz + hz), n = tanh(xn + matmul(r * s.h, whn));
  return {z * s.h + (1 - z) * n};
}

}  // namespace rondo
