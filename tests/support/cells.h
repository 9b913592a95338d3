// Text of functions that several tests share.
#pragma once

#include <string>

namespace rondo::test {

/// The LSTM of the design's section on the IR: a scalar of all hidden states, in f64.
inline constexpr const char* kLstm = R"(
func @lstm(%wx: f64[I,8], %wh: f64[2,8], %b: f64[8], %h0: f64[B,2], %c0: f64[B,2], %x: f64[T,B,I]) -> (f64[]) {
  %hT, %cT, %hs = scan consts(%wx, %wh, %b) carry(%h = %h0, %c = %c0) xs(%xt = %x) {
    %zx = matmul %xt, %wx : f64[B,8]
    %zh = matmul %h, %wh : f64[B,8]
    %bias = broadcast %b {axes=[1]} : f64[B,8]
    %zz = add %zx, %zh : f64[B,8]
    %z = add %zz, %bias : f64[B,8]
    %zi = slice %z {axis=1, lo=0, hi=2} : f64[B,2]
    %zf = slice %z {axis=1, lo=2, hi=4} : f64[B,2]
    %zg = slice %z {axis=1, lo=4, hi=6} : f64[B,2]
    %zo = slice %z {axis=1, lo=6, hi=8} : f64[B,2]
    %i = sigmoid %zi : f64[B,2]
    %f = sigmoid %zf : f64[B,2]
    %g = tanh %zg : f64[B,2]
    %o = sigmoid %zo : f64[B,2]
    %fc = mul %f, %c : f64[B,2]
    %ig = mul %i, %g : f64[B,2]
    %c1 = add %fc, %ig : f64[B,2]
    %tc = tanh %c1 : f64[B,2]
    %h1 = mul %o, %tc : f64[B,2]
    yield carry(%h1, %c1) ys(%h1)
  } : f64[B,2], f64[B,2], f64[T,B,2]
  %sq = mul %hs, %hs : f64[T,B,2]
  %s = reduce_sum %sq {axes=[0,1,2]} : f64[]
  %cc = mul %cT, %hT : f64[B,2]
  %last = reduce_sum %cc {axes=[0,1]} : f64[]
  %loss = add %s, %last : f64[]
  return %loss
}
)";

/// A GRU, reset before the product, whose gates have their own weights; no batch of biases.
inline constexpr const char* kGru = R"(
func @gru(%wr: f64[3,2], %wz: f64[3,2], %wn: f64[3,2], %ur: f64[2,2], %uz: f64[2,2], %un: f64[2,2], %h0: f64[B,2],
          %x: f64[T,B,3]) -> (f64[], f64[T,B,2]) {
  %hT, %hs = scan consts(%wr, %wz, %wn, %ur, %uz, %un) carry(%h = %h0) xs(%xt = %x) {
    %xr = matmul %xt, %wr : f64[B,2]
    %hr = matmul %h, %ur : f64[B,2]
    %ar = add %xr, %hr : f64[B,2]
    %r = sigmoid %ar : f64[B,2]
    %xz = matmul %xt, %wz : f64[B,2]
    %hz = matmul %h, %uz : f64[B,2]
    %az = add %xz, %hz : f64[B,2]
    %z = sigmoid %az : f64[B,2]
    %xn = matmul %xt, %wn : f64[B,2]
    %rh = mul %r, %h : f64[B,2]
    %hn = matmul %rh, %un : f64[B,2]
    %an = add %xn, %hn : f64[B,2]
    %n = tanh %an : f64[B,2]
    %d = sub %h, %n : f64[B,2]
    %zd = mul %z, %d : f64[B,2]
    %h1 = add %n, %zd : f64[B,2]
    yield carry(%h1) ys(%h1)
  } : f64[B,2], f64[T,B,2]
  %e = exp %hs : f64[T,B,2]
  %s = reduce_sum %e {axes=[0,1,2]} : f64[]
  %hh = mul %hT, %hT : f64[B,2]
  %last = reduce_sum %hh {axes=[0,1]} : f64[]
  %loss = add %s, %last : f64[]
  return %loss, %hs
}
)";

/// The same text with every "scan" reversed.
inline std::string reversed(std::string text) {
  for (size_t at = 0; (at = text.find("scan ", at)) != std::string::npos; at += 13)
    text.replace(at, 5, "scan reverse ");
  return text;
}

}  // namespace rondo::test
